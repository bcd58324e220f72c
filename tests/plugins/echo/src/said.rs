//! `echo/said`: the parameters as values, and what else the metric was told.

use clmbench_sdk::prelude::*;

/// The metric.
pub struct Said;

/// The words of the parameter `word`; the value is the place in this list.
const WORDS: [&str; 3] = ["one", "two", "three"];

impl Metric for Said {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "echo/said".into(),
            doc: "Returns its parameters, a draw of its random stream, its budget and its molecules.".into(),
            citation: "none".into(),
            unit: "1".into(),
            primary: "value".into(),
            direction: Direction::HigherIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Free,
            comparable: Comparable::Any,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters: vec![
                ParameterInfo::float("value", 0.5, "what to return").between(-1e3, 1e3),
                ParameterInfo::integer("count", 3, "another value").between(0.0, 10.0),
                ParameterInfo::boolean("loud", false, "1 if true, else 0"),
                ParameterInfo::text("word", "one", &WORDS, "its place among the words"),
            ],
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let word = params.text("word")?;
        let place = WORDS.iter().position(|known| *known == word).ok_or_else(|| PluginError::Input(word.clone()))?;
        let molecules = probe.molecules(SamplePart::Heldout)?;
        let values = [
            ("value", params.float("value")?),
            ("count", params.integer("count")? as f64),
            ("loud", f64::from(u8::from(params.boolean("loud")?))),
            ("word", place as f64),
            // The upper 52 bits, which a float holds exactly.
            ("random", (probe.rng("echo") >> 12) as f64),
            ("budget", probe.budget()),
            ("tokens", probe.record()?.tokens.map_or(f64::NAN, |tokens| tokens as f64)),
        ];
        let values = values.into_iter().map(|(name, value)| Value::exact(name, value, "1")).collect();
        Ok(Measurement::complete(values, molecules))
    }
}
