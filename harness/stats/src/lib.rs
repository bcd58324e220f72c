//! Pure numbers: fits by linfa and their inference, rank correlations, resampling. No I/O.
