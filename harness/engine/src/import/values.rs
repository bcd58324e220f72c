//! Values of tensors into the parameters that they were matched with.

use clmbench_checkpoint::{Dtype, Matched, TensorInfo, read_tensor};
use clmbench_protocol::{Failure, FailureKind};
use tch::Tensor;

use crate::{
    failure::{OrFail, Result},
    model::{Model, Parameter},
    report::Reporter,
};

/// Names that a note lists.
const LISTED: usize = 6;

/// Copies every tensor into its parameter and compares those that repeat one.
///
/// # Errors
/// [`FailureKind::NonFinite`] naming a tensor that holds what is no number, [`FailureKind::BadInput`] naming one that differs from what it
/// should repeat, and unreadable files.
pub fn copy(matched: &Matched, model: &Model, reporter: &Reporter) -> Result<()> {
    let _guard = tch::no_grad_guard();
    let total: u64 = matched.pairs.iter().map(|(_, tensor)| tensor.elements()).sum();
    let mut done = 0;
    for (name, tensor) in &matched.pairs {
        reporter.report("import", done, total, "numbers", || name.clone());
        let values = read(tensor)?;
        let row = parameter(model, name)?;
        let read = Tensor::f_from_slice(&values).or_fail()?.f_view_as(&row.tensor).or_fail()?;
        row.tensor.shallow_clone().f_copy_(&read).or_fail()?;
        done += tensor.elements();
    }
    for (tensor, name) in &matched.tied {
        let values = read(tensor)?;
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        if bytes != crate::weights::bytes_of(&parameter(model, name)?.tensor) {
            let text = format!(
                "tensor `{}` should repeat `{name}`, to which this architecture ties it, but differs from it; the model was trained with an \
                 output of its own, which the architecture does not have",
                tensor.name
            );
            return Err(Failure::new(FailureKind::BadInput, text));
        }
    }
    reporter.report("import", total, total, "numbers", String::new);
    Ok(())
}

fn parameter<'a>(model: &'a Model, name: &str) -> Result<&'a Parameter> {
    let found = model.saved().find(|row| row.name == name);
    found.ok_or_else(|| Failure::new(FailureKind::WrongShape, format!("the architecture built no `{name}`")))
}

/// The values of a tensor, all of them finite.
fn read(tensor: &TensorInfo) -> Result<Vec<f32>> {
    let values = read_tensor(tensor).or_fail()?;
    let strange = values.iter().filter(|value| !value.is_finite()).count();
    if strange == 0 {
        return Ok(values);
    }
    let (name, count) = (&tensor.name, values.len());
    let text =
        format!("tensor `{name}`: {strange} of its {count} values are NaN or infinite; the checkpoint is damaged or diverged");
    Err(Failure::new(FailureKind::NonFinite, text))
}

/// What a reader should know of the weights, a sentence each.
pub fn notes(matched: &Matched) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |names: Vec<String>, what: &str| {
        if !names.is_empty() {
            let more = if names.len() > LISTED { format!(" and {} more", names.len() - LISTED) } else { String::new() };
            let names: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{}`", shown(name))).collect();
            notes.push(format!("{what}: {}{more}", names.join(", ")));
        }
    };
    note(matched.ignored.clone(), "left out, for the model has no use for them");
    note(
        matched.absent.clone(),
        "not in the files, so that they keep random initial values and (but for a head) are not counted",
    );
    note(matched.tied.iter().map(|(tensor, _)| tensor.name.clone()).collect(), "repeat another tensor bit for bit");
    for dtype in [Dtype::F16, Dtype::Bf16, Dtype::F64] {
        let of = matched.pairs.iter().filter(|(_, tensor)| tensor.dtype == dtype).count();
        if of > 0 {
            let how = if dtype == Dtype::F64 { "rounded" } else { "exactly" };
            notes.push(format!("{of} of {} tensors are {} and were converted to F32, {how}", matched.pairs.len(), dtype.name()));
        }
    }
    notes
}

/// A name out of a file, cut and without what could steer a terminal.
fn shown(name: &str) -> String {
    name.chars().take(80).flat_map(char::escape_default).collect()
}
