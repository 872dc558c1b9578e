"""An image set for other programs: folders of pictures, NumPy archives and Zarr."""
