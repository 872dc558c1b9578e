"""TIFF files: every legal form as a lazy stack, or a sentence that says why not."""
