"""Letters: extruded, rounded and bevelled glyphs of the fonts that matplotlib brings along."""
