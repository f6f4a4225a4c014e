"""What makes organ masks of CT volumes, once and for a whole data set: TotalSegmentator, or any MONAI bundle."""
