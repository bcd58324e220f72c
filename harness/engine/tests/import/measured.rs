//! What can be measured on an imported checkpoint, and what is refused.

use std::{collections::BTreeMap, path::Path};

use clmbench_engine::{
    checkpoint,
    model::Model,
    probe::{ProbeHost, Samples, Setting},
    report::Reporter,
    tokenise,
};
use clmbench_molecules::{digest, foreign};
use clmbench_protocol::{
    Budget, CorpusSource, FailureKind, FileRef, ImportOutput, Number, Objective, RunFacts, SmilesForm, SourceFormat,
    TokeniseCorpus, TokenizerSpec, revision,
};
use clmbench_sdk::{
    Probe, Sample,
    api::{Labels, SamplePart},
};

use super::{reference, toy, toy::Files};

const HELDOUT: Sample = Sample { part: SamplePart::Heldout, start: 0, count: 0, draw: 0 };
const MOLECULES: [&str; 8] = ["CCO", "CCN", "CC(=O)O", "C1CC1", "CCCC", "OCCO", "N(C)C", "CC(C)=O"];

/// A corpus cell with the tokenizer of an imported checkpoint.
fn corpus(output: &ImportOutput, checkpoint: &Path, work: &Path) {
    let path = work.join("corpus.csv");
    std::fs::write(&path, format!("smiles\n{}\n", MOLECULES.join("\n"))).unwrap();
    let sha256 = digest::sha256_file(&path).unwrap();
    let source = CorpusSource {
        file: FileRef { name: "corpus.csv".into(), sha256 },
        format: SourceFormat::Csv,
        column: "smiles".into(),
        only: None,
        group: "a".into(),
        weight: Number(1.0),
    };
    let spec = TokeniseCorpus {
        revision: revision::TOKENISE,
        corpus: "test".into(),
        size: 3,
        heldout: 5,
        sources: vec![source],
        seed: 1,
        form: SmilesForm::Canonical,
        tokenizer: TokenizerSpec {
            kind: foreign::KIND.into(),
            max_tokens: output.max_tokens,
            digest: Some(output.tokenizer_digest.clone()),
            special: Some(output.special.clone()),
        },
        exclude: Vec::new(),
    };
    let files: BTreeMap<_, _> = [("corpus.csv".to_owned(), path)].into_iter().collect();
    let reporter = Reporter::silent();
    let failure = tokenise::corpus(&spec, &files, &[], (None, work), &reporter).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Protocol);
    let tokenizer = checkpoint.join("tokenizer.json");
    let tokenised = tokenise::corpus(&spec, &files, &[], (Some(&tokenizer), work), &reporter).unwrap();
    assert_eq!(tokenised.tokenizer_digest, output.tokenizer_digest);
}

fn with_probe(files: &Files, body: impl FnOnce(&Probe<'_>, &Model)) {
    let (work, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let output = files.import(16, None, work.path()).unwrap();
    let place = work.path().join(&output.checkpoint.folder);
    corpus(&output, &place, folder.path());
    let model = checkpoint::open_with(&place, &reference(&output), toy::plugin().module).unwrap();
    let (inner, all) = model.counts();
    let facts = RunFacts {
        non_embedding_parameters: inner,
        total_parameters: all,
        tokens: None,
        corpus_molecules: None,
        training_flops: None,
    };
    let reporter = Reporter::silent();
    let setting = Setting { objective: Objective::MaskedLm, facts, identity: "t", seed: 1, budget: Budget::Quick, note: "t" };
    let host = ProbeHost::new(&model, Samples { corpus: folder.path(), train: None }, setting, &reporter).unwrap();
    body(&Probe::new(host.edge()), &model);
}

#[test]
fn loss_gradient_embeddings_and_smiles_of_an_imported_checkpoint() {
    with_probe(&Files::whole(), |probe, model| {
        let rows = probe.loss(HELDOUT, None).unwrap();
        assert_eq!(rows.nll.len(), 5);
        assert!(rows.tokens.iter().sum::<f64>() > 0.0 && rows.nll.iter().all(|nll| nll.is_finite()));
        // Fixed tensors have no gradient; nor has the pooler, which the loss does not reach.
        let gradient = probe.grad(HELDOUT, None, Labels::Data).unwrap();
        assert_eq!(gradient.size(), [model.counts().1 as i64 - 64]);
        assert_eq!(probe.embed(SamplePart::Heldout, 0, 0).unwrap().size(), [5, 8]);
        // The texts are compared with the tokens of the checkpoint's own tokenizer.
        let smiles = probe.smiles(SamplePart::Heldout, 0, 0).unwrap();
        assert!(smiles.len() == 5 && smiles.iter().all(|text| text.contains(['C', 'O'])), "{smiles:?}");
        assert_eq!(probe.record().unwrap().tokens, None);
    });
}

#[test]
fn without_a_head_or_a_mask_there_are_embeddings_and_no_loss() {
    let mut headless = Files::whole();
    drop(headless.tensors.remove("head.bias"));
    let mut maskless = Files::whole();
    let vocabulary = maskless.tokenizer["model"]["vocab"].as_object_mut().unwrap();
    drop(vocabulary.remove("<mask>"));
    maskless.tokenizer["added_tokens"].as_array_mut().unwrap().pop();
    maskless.names.as_object_mut().unwrap().remove("mask_token");
    for (files, words) in [(headless, "without the weights of its output layer"), (maskless, "has no mask token")] {
        with_probe(&files, |probe, _| {
            assert_eq!(probe.embed(SamplePart::Heldout, 0, 0).unwrap().size(), [5, 8]);
            for refused in [
                probe.loss(HELDOUT, None).map(|_| ()),
                probe.grad(HELDOUT, None, Labels::Data).map(|_| ()),
                probe.token_probs(HELDOUT).map(|_| ()),
                probe.weights().map(|_| ()),
            ] {
                let error = refused.unwrap_err();
                assert!(matches!(error, clmbench_sdk::PluginError::Unsupported(_)), "{error:?}");
                assert!(error.to_string().contains(words), "{error}");
            }
        });
    }
}
