//! The values that all traces have: raw and adaptive, whole and per parameter.

use clmbench_sdk::prelude::*;

use crate::draws::Draws;

/// Molecules by default.
pub const MOLECULES: i64 = 256;

/// Whether the adaptive trace is measured as well.
pub fn adaptive(cost: &str) -> ParameterInfo {
    ParameterInfo::boolean("adaptive", true, &format!("also the adaptive trace tr(W H W), W = diag |w|; {cost}"))
}

/// Values of draws whose first number is the raw trace and whose second, if any, the adaptive one.
pub fn measurement(probe: &Probe<'_>, draws: &Draws, adaptive: bool) -> Result<Measurement, PluginError> {
    let size = probe.weights()?.numel() as f64;
    let unit = "nats/token";
    let mut values =
        vec![draws.value("trace", unit, |all| all[0]), draws.value("trace_per_parameter", unit, |all| all[0] / size)];
    if adaptive {
        values.push(draws.value("trace_adaptive", unit, |all| all[1]));
        values.push(draws.value("trace_adaptive_per_parameter", unit, |all| all[1] / size));
    }
    values.push(Value::exact("draws", draws.count() as f64, "draws"));
    Ok(Measurement { values, artifacts: Vec::new(), molecules: draws.molecules, stopped: draws.stopped })
}
