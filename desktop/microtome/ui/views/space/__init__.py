"""The volume in space: what is shown, the camera, and the two painters that draw it."""
