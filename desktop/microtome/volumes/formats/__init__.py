"""Other files of voxels: containers such as HDF5 and Zarr, raw voxels and the text files beside them."""
