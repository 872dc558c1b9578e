"""The size of a voxel: what files, microscopes and the files beside them say of it, weighed against each other."""
