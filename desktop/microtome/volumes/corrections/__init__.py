"""What corrections measure and do: shifts, distances, stripes, brightness, ranges of slices."""
