#![allow(clippy::unwrap_used)]
use super::*;
use crate::header::Dtype;

fn tensor(name: &str, shape: &[u64]) -> TensorInfo {
    let bytes = shape.iter().product::<u64>() * 4;
    TensorInfo { name: name.into(), dtype: Dtype::F32, shape: shape.to_vec(), offsets: (0, bytes), file: "f".into() }
}

fn wanted(names: &[&str]) -> Vec<(String, Vec<u64>)> {
    names.iter().map(|name| ((*name).to_owned(), vec![2, 3])).collect()
}

fn pair(a: &str, b: &str) -> (String, String) {
    (a.into(), b.into())
}

/// Parameter and tensor of each pair.
fn pairs(files: &[&str], parameters: &[&str], hub: &HubInfo) -> Vec<(String, String)> {
    let found: Vec<TensorInfo> = files.iter().map(|name| tensor(name, &[2, 3])).collect();
    let matched = match_up(&found, &wanted(parameters), hub).unwrap();
    matched.pairs.into_iter().map(|(name, tensor)| (name, tensor.name)).collect()
}

fn error(found: &[TensorInfo], parameters: &[&str], hub: &HubInfo) -> String {
    match_up(found, &wanted(parameters), hub).unwrap_err().to_string()
}

#[test]
fn old_names_are_renamed_in_order() {
    let hub = HubInfo {
        renamed: vec![pair("LayerNorm.gamma", "LayerNorm.weight"), pair("old", "mid"), pair("mid", "new")],
        ..Default::default()
    };
    let parameters = ["x.LayerNorm.weight", "y.LayerNorm.weight", "new.a"];
    let found = pairs(&["old.a", "x.LayerNorm.gamma", "y.LayerNorm.weight"], &parameters, &hub);
    let expected =
        [("x.LayerNorm.weight", "x.LayerNorm.gamma"), ("y.LayerNorm.weight", "y.LayerNorm.weight"), ("new.a", "old.a")];
    assert_eq!(found, expected.map(|(a, b)| pair(a, b)));
    // An empty rule is none.
    let hub = HubInfo { renamed: vec![pair("", "x")], ..Default::default() };
    assert_eq!(pairs(&["a"], &["a"], &hub), [pair("a", "a")]);
}

#[test]
fn a_prefix_is_added_or_taken_off() {
    let hub = HubInfo { prefix: "bert.".into(), ..Default::default() };
    assert_eq!(pairs(&["a", "cls.b"], &["bert.a", "cls.b"], &hub), [pair("bert.a", "a"), pair("cls.b", "cls.b")]);
    assert_eq!(pairs(&["bert.a", "cls.b"], &["bert.a", "cls.b"], &hub), [pair("bert.a", "bert.a"), pair("cls.b", "cls.b")]);
    assert_eq!(pairs(&["bert.a"], &["a"], &hub), [pair("a", "bert.a")]);
    // As it stands goes first.
    assert_eq!(pairs(&["a", "bert.a"], &["a", "bert.a"], &hub), [pair("a", "a"), pair("bert.a", "bert.a")]);
}

#[test]
fn tied_tensors_repeat_or_stand_in() {
    let hub = HubInfo { tied: vec![pair("head.weight", "e.weight")], prefix: "m.".into(), ..Default::default() };
    let both = [tensor("e.weight", &[2, 3]), tensor("head.weight", &[2, 3])];
    let matched = match_up(&both, &wanted(&["e.weight"]), &hub).unwrap();
    assert_eq!(matched.pairs, [("e.weight".to_owned(), both[0].clone())]);
    assert_eq!(matched.tied, [(both[1].clone(), "e.weight".to_owned())]);
    let matched = match_up(&both[1..], &wanted(&["e.weight"]), &hub).unwrap();
    assert_eq!((matched.pairs, matched.tied), (vec![("e.weight".to_owned(), both[1].clone())], vec![]));
    let text = error(&[both[0].clone(), tensor("head.weight", &[3, 2])], &["e.weight"], &hub);
    assert!(text.contains("    head.weight has [3, 2], needs [2, 3]"), "{text}");
    // A parameter of its own is no repetition.
    assert_eq!(match_up(&both, &wanted(&["e.weight", "head.weight"]), &hub).unwrap().tied, []);
    // With the prefix taken off.
    let matched = match_up(&[tensor("m.head.weight", &[2, 3])], &wanted(&["e.weight"]), &hub).unwrap();
    assert_eq!(matched.pairs[0].1.name, "m.head.weight");
}

#[test]
fn ends_of_whole_parts_are_ignored() {
    let hub = HubInfo { ignored: vec!["attn.bias".into(), ".position_ids".into(), "".into()], ..Default::default() };
    let found = ["h.0.attn.bias", "position_ids", "a.position_ids", "w"].map(|name| tensor(name, &[2, 3]));
    let matched = match_up(&found, &wanted(&["w"]), &hub).unwrap();
    assert_eq!(matched.ignored, ["h.0.attn.bias", "position_ids", "a.position_ids"]);
    let text = error(&[tensor("h.0.c_attn.bias", &[2, 3]), tensor("w", &[2, 3])], &["w"], &hub);
    assert!(text.contains("the model has no use for (1):\n    h.0.c_attn.bias\n"), "{text}");
    // A parameter is never ignored.
    assert_eq!(pairs(&["h.0.attn.bias"], &["h.0.attn.bias"], &hub).len(), 1);
    // Whatever its number format.
    let mut ids = tensor("position_ids", &[2, 3]);
    ids.dtype = Dtype::I64;
    assert!(match_up(&[ids, tensor("w", &[2, 3])], &wanted(&["w"]), &hub).is_ok());
}

#[test]
fn optional_parameters_may_be_absent() {
    let hub = HubInfo { optional: vec!["bert.pooler.".into()], ..Default::default() };
    let parameters = ["bert.a", "bert.pooler.dense.bias", "bert.pooler.dense.weight"];
    let matched = match_up(&[tensor("bert.a", &[2, 3])], &wanted(&parameters), &hub).unwrap();
    assert_eq!(matched.absent, parameters[1..]);
    let found = parameters.map(|name| tensor(name, &[2, 3]));
    assert!(match_up(&found, &wanted(&parameters), &hub).unwrap().absent.is_empty());
}

#[test]
fn every_problem_is_listed_by_name() {
    let hub = HubInfo { prefix: "bert.".into(), ..Default::default() };
    let mut whole = tensor("d", &[2, 3]);
    whole.dtype = Dtype::I8;
    let found = [tensor("a", &[2, 4]), tensor("b", &[2, 3]), tensor("bert.b", &[2, 3]), whole, tensor("x\u{1b}", &[1])];
    let wanted = "the weights are not those of the architecture that `config.json` tells:
  the files lack (1):
    bert.c [2, 3]
  the model has no use for (1):
    x\\u{1b}
  of another shape or number format (2):
    a has [2, 4], needs [2, 3]
    d has I8 values, needs F32, F16, BF16 or F64
  several tensors for one parameter (1):
    bert.b: `b` and `bert.b`
Compare config.json with the model that was saved, or name the architecture that it is (`architecture = ...`)";
    assert_eq!(error(&found, &["a", "bert.b", "bert.c", "d"], &hub), wanted);
    let many: Vec<TensorInfo> = (0..30).map(|index| tensor(&format!("t{index:02}"), &[1])).collect();
    let text = error(&many, &[], &hub);
    assert!(
        text.contains("no use for (30):\n    t00\n") && text.contains("    t19\n    and 10 more\n") && !text.contains("t20"),
        "{text}"
    );
}
