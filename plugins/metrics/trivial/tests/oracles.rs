//! Each fact against a record made by hand.
#![allow(missing_docs, clippy::unwrap_used)]

use clmbench_plugin_trivial::{CORPUS, FLOPS, PARAMETERS, TOKENS};
use clmbench_sdk::{
    prelude::*,
    testing::{
        Nothing, TestProbe,
        oracle::{self, Check},
    },
};

#[test]
fn each_reads_its_own_fact() {
    let facts = RunFacts {
        non_embedding_parameters: 2,
        total_parameters: 3,
        tokens: Some(5),
        corpus_molecules: Some(7),
        training_flops: Some(60.0.into()),
    };
    for (fact, truth) in [(PARAMETERS, 2.0), (TOKENS, 5.0), (CORPUS, 7.0), (FLOPS, 60.0)] {
        let host = TestProbe::new(&Nothing, 1, 1.0).with_record(facts.clone());
        let measured = fact.measure(&host.probe(), &Params::default()).unwrap();
        let (id, value) = (fact.info().id, &measured.values[0]);
        let check = Check { metric: &id, value: &value.name, oracle: "a record made by hand" };
        oracle::exact(check, truth, value.value, 0.0);
    }
}
