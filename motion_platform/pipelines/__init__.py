"""From what a person gives to what a person gets: text, music or motion in, clips or captions out."""
