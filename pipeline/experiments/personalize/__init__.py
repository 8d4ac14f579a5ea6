"""`har personalize`: what learning on the device does for one subject."""
