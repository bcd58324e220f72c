//! Pure numbers: fits by linfa and their inference, rank correlations, resampling. No I/O.
//!
//! Everything here takes slices of `f64` with one entry a run and returns plain data or a typed [`Refusal`]. What the
//! numbers mean (which runs, which orientation, which family of tests) is decided in `analysis`.
//!
//! | question | file |
//! |---|---|
//! | how does the score move with the metric? | [`ols`] (coefficients by linfa, inference here) |
//! | how well is an unseen run predicted? | [`cross_validation`] |
//! | on which runs does a fit hang? what does a column add? | [`influence`](mod@influence), [`partial`], [`inference`] |
//! | what do all metrics together predict? | [`mod@elastic_net`], [`nested`], [`predicted`] |
//! | do they rank alike? | [`correlation`], [`permutation`], [`mod@spearman_interval`], [`bootstrap`], [`mod@weighted_kendall`], [`strata`] |
//! | how many tests were made? | [`mod@holm`], [`mod@benjamini_hochberg`] |
//! | over all tasks together? | [`joint_permutation`], [`two_way_bootstrap`] |
//! | how does the loss fall with size, data or computation? | [`power_law`] |
//! | how do points lie in a plane? | [`mod@principal_components`] |
//! | what could this design have seen? | [`power`], [`random_band`] |
//! | how much of it is noise? | [`reliability`] |
//! | what does choosing by the metric cost? | [`mod@selection`] |
//! | does the score still rise where loss is lowest? | [`mod@saturation`] |
//! | how far does a ranking of metrics hold? | [`mod@rank_stability`] |
//! | does the metric add to size, tokens and corpus? | [`gain`] |
//! | what may be said? | [`verdict`] |
//! | how well are two classes told apart? | [`auc`], [`scored`] (each molecule counted several times) |
//! | is a candidate worse than a gate baseline? | [`gate`](mod@gate) |

pub mod auc;
pub mod benjamini_hochberg;
pub mod bootstrap;
pub mod correlation;
mod counted_ranks;
pub mod cross_validation;
pub mod elastic_net;
pub mod gain;
pub mod gain_over_tasks;
pub mod gate;
pub mod holm;
pub mod inference;
pub mod influence;
pub mod joint_permutation;
pub mod nested;
pub mod numeric;
pub mod ols;
mod orthogonal;
pub mod partial;
pub mod permutation;
pub mod power;
pub mod power_law;
pub mod predicted;
pub mod principal_components;
pub mod random_band;
pub mod rank_stability;
pub mod refusal;
pub mod reliability;
mod resampled_gain;
pub mod saturation;
pub mod scored;
pub mod seed;
pub mod selection;
pub mod spearman_interval;
pub mod strata;
pub mod two_way_bootstrap;
pub mod verdict;
pub mod weighted_kendall;

pub use auc::{average_precision, delong, delong_paired, roc_auc};
pub use benjamini_hochberg::benjamini_hochberg;
pub use bootstrap::{Interval, SMALLEST_N_FOR_INTERVALS, bca};
pub use correlation::{average_ranks, kendall_error, kendall_tau_b, pearson, spearman};
pub use cross_validation::{predictions_by_groups, q2_by_groups};
pub use elastic_net::{ElasticNet, Penalty, elastic_net};
pub use gain::{Gain, GainVerdict, gain, independent};
pub use gain_over_tasks::{GainDesign, GainOverTasks, GainResample, gain_over_tasks};
pub use gate::{GateJudgement, GateVerdict, judge_gate, judge_task};
pub use holm::holm;
pub use inference::{Correlated, Ends, Inference, fisher, jackknife_error, student};
pub use influence::{Influence, influence};
pub use joint_permutation::{Pooled, Task, joint_permutation_test, pooled_spearman};
pub use nested::{Grid, Nested, nested_elastic_net};
pub use ols::{Column, Ols, multiple_regression, ols};
pub use partial::{PartialCorrelation, partial_correlation, partial_r2, partial_spearman};
pub use permutation::{PermutationTest, permutation_test};
pub use power::{minimum_detectable_r, runs_needed};
pub use power_law::{PowerLaw, power_law};
pub use predicted::{PredictedQ2, q2_of_predictions};
pub use principal_components::{PrincipalComponents, principal_components};
pub use random_band::{RandomBand, random_band};
pub use rank_stability::{RankSpread, RankStability, mean_rank_interval, rank_stability};
pub use refusal::Refusal;
pub use reliability::{Attenuation, AttenuationIntervals, Noisy, Source, attenuation_intervals};
pub use saturation::{Saturation, SaturationVerdict, broken_line, halvings, saturation};
pub use scored::{ScoreName, Scored};
pub use seed::{Generator, generator};
pub use selection::{Selection, selection};
pub use spearman_interval::spearman_interval;
pub use strata::{Strata, Stratum, strata};
pub use two_way_bootstrap::{TwoWay, resampled_counts, two_way_interval};
pub use verdict::{Evidence, Judgement, Verdict, judge};
pub use weighted_kendall::{weighted_kendall, weighted_kendall_error};
