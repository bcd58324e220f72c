//! From the name of a tensor in a file to that of a parameter.

use clmbench_protocol::HubInfo;

use crate::PluginError;

/// The parameter in which a tensor of a file belongs; none for one that repeats another or is no weight.
///
/// # Errors
/// When no rule says where it belongs.
pub(super) fn place<'a>(hub: &HubInfo, parameters: &[&'a str], name: &str) -> Result<Option<&'a str>, PluginError> {
    let find = |name: &str| parameters.iter().find(|parameter| **parameter == name).copied();
    let renamed = hub.renamed.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to));
    if let Some(parameter) = find(&renamed).or_else(|| find(&format!("{}{renamed}", hub.prefix))) {
        return Ok(Some(parameter));
    }
    let repeats = hub.tied.iter().any(|(tied, _)| *tied == renamed);
    if repeats || hub.ignored.iter().any(|end| renamed.ends_with(end.as_str())) {
        return Ok(None);
    }
    Err(PluginError::Other(format!("no rule says where the tensor `{name}` belongs")))
}
