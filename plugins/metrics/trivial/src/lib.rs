//! Trivial predictors: what is known of a run without looking at its weights. A metric is worth its cost only by what it
//! adds to them (arXiv:2510.06448: on static pools of models, such predictors beat sophisticated scores).

use clmbench_sdk::prelude::*;

/// One number of the training record.
pub struct Fact {
    name: &'static str,
    unit: &'static str,
    /// Key of a `[[checkpoint]]` table that tells it.
    key: &'static str,
    doc: &'static str,
    read: fn(&RunFacts) -> Option<f64>,
}

/// Parameters without word and position embeddings.
pub const PARAMETERS: Fact = Fact {
    name: "parameters",
    unit: "parameters",
    key: "",
    doc: "Parameters without word and position embeddings: larger models claim better transfer.",
    read: |facts| Some(facts.non_embedding_parameters as f64),
};

/// Real tokens trained on.
pub const TOKENS: Fact = Fact {
    name: "tokens",
    unit: "tokens",
    key: "tokens",
    doc: "Real tokens trained on: longer training claims better transfer.",
    read: |facts| facts.tokens.map(|tokens| tokens as f64),
};

/// Molecules in the corpus subset.
pub const CORPUS: Fact = Fact {
    name: "corpus",
    unit: "molecules",
    key: "molecules",
    doc: "Molecules in the corpus subset: more data claims better transfer.",
    read: |facts| facts.corpus_molecules.map(|molecules| molecules as f64),
};

/// Training FLOPs.
pub const FLOPS: Fact = Fact {
    name: "flops",
    unit: "FLOP",
    key: "tokens",
    doc: "Training FLOPs, 6 x non-embedding parameters x tokens: more compute claims better transfer.",
    read: |facts| facts.training_flops.map(|flops| flops.0),
};

impl Metric for Fact {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: format!("trivial/{}", self.name),
            doc: self.doc.into(),
            citation: "Kaplan et al. 2020, arXiv:2001.08361, section 2.1".into(),
            unit: self.unit.into(),
            primary: self.name.into(),
            direction: Direction::HigherIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Free,
            comparable: Comparable::Any,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters: Vec::new(),
            trivial: true,
        }
    }

    fn measure(&self, probe: &Probe<'_>, _params: &Params) -> Result<Measurement, PluginError> {
        let value = (self.read)(&probe.record()?).ok_or_else(|| {
            let text = format!("not known for an imported checkpoint; write `{} = ...` in its [[checkpoint]] table", self.key);
            PluginError::Unsupported(text)
        })?;
        Ok(Measurement::complete(vec![Value::exact(self.name, value, self.unit)], 0))
    }
}

export_plugin! { metrics: [PARAMETERS, TOKENS, CORPUS, FLOPS] }

#[cfg(test)]
mod tests {
    use clmbench_sdk::prelude::*;

    use super::{CORPUS, FLOPS, PARAMETERS, TOKENS};

    #[test]
    fn what_is_not_known_of_a_checkpoint_is_none() {
        let mut facts = RunFacts {
            non_embedding_parameters: 7,
            total_parameters: 9,
            tokens: None,
            corpus_molecules: None,
            training_flops: None,
        };
        let read = |facts: &RunFacts| [PARAMETERS, TOKENS, CORPUS, FLOPS].map(|fact| (fact.read)(facts));
        assert_eq!(read(&facts), [Some(7.0), None, None, None]);
        facts.tokens = Some(3);
        assert_eq!(read(&facts), [Some(7.0), Some(3.0), None, None]);
    }

    #[test]
    fn all_are_marked_trivial_with_ids_of_the_family() {
        for fact in [PARAMETERS, TOKENS, CORPUS, FLOPS] {
            let info = fact.info();
            assert!(info.trivial && info.id == format!("trivial/{}", info.primary));
        }
    }
}
