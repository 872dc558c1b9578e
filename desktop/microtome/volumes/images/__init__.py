"""2-D images, in grey and in colour, and folders of them."""
