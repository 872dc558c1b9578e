"""The slices page: the gallery, where the slices lie, whether they can be trusted, and the image sets."""
