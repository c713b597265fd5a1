"""Arrays in, arrays out: axes, intensity, device, tiles and strips; no Qt."""
