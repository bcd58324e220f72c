//! What plugin authors import: safe traits, export macro, probe wrapper.
