//! Which records a rule can fire on at all, and the index made of that.
