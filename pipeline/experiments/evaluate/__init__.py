"""`har evaluate`: one backbone on every subject, in float, int8 and the compiled engine."""
