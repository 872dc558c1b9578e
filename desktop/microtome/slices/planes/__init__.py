"""How one slice is cut: out of voxels in memory, in a file or coarser, or out of spheres."""
