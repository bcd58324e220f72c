//! Which device a run computes on.

use crate::{arguments::Device, error::CliError, worker::Hello};

/// The device's name, `cpu` or `cuda:<index>`. `hello` asks the worker, which is done only where the answer matters.
///
/// `auto` is `cuda:0` where the worker offers it, else `cpu`; a worker that does not answer is told of when it is used.
///
/// # Errors
/// [`CliError::NoDevice`]: a named GPU that the worker does not offer.
pub fn resolve(device: &Device, hello: impl FnOnce() -> Result<Hello, String>) -> Result<String, CliError> {
    const FIRST: &str = "cuda:0";
    match device {
        Device::Named(name) if name == "cpu" => Ok(name.clone()),
        Device::Named(name) => {
            let none = |why: String| CliError::NoDevice { device: name.clone(), why };
            let hello = hello().map_err(|why| none(format!("the worker {why}")))?;
            let there = hello.devices.iter().any(|known| known == name);
            if there { Ok(name.clone()) } else { Err(none(format!("the worker offers {}", hello.devices.join(", ")))) }
        }
        Device::Auto => {
            let gpu = hello().is_ok_and(|hello| hello.devices.iter().any(|known| known == FIRST));
            Ok(if gpu { FIRST } else { "cpu" }.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn offering(devices: &[&str]) -> impl FnOnce() -> Result<Hello, String> {
        let devices = devices.iter().map(|name| (*name).to_owned()).collect();
        move || Ok(Hello { build: "test".into(), libtorch: "2.11.0".into(), devices })
    }

    fn named(name: &str) -> Device {
        Device::Named(name.into())
    }

    #[test]
    fn auto_takes_the_first_gpu_that_is_offered() {
        assert_eq!(resolve(&Device::Auto, offering(&["cpu", "cuda:0", "cuda:1"])).unwrap(), "cuda:0");
        assert_eq!(resolve(&Device::Auto, offering(&["cpu"])).unwrap(), "cpu");
        assert_eq!(resolve(&Device::Auto, || Err("cannot be started".into())).unwrap(), "cpu");
    }

    #[test]
    fn the_cpu_is_always_there_and_the_worker_is_not_asked() {
        assert_eq!(resolve(&named("cpu"), || panic!("asked")).unwrap(), "cpu");
    }

    #[test]
    fn a_gpu_that_is_named_must_be_there() {
        assert_eq!(resolve(&named("cuda:1"), offering(&["cpu", "cuda:0", "cuda:1"])).unwrap(), "cuda:1");
        let error = resolve(&named("cuda:1"), offering(&["cpu", "cuda:0"])).unwrap_err().to_string();
        assert!(error.contains("cuda:1") && error.contains("the worker offers cpu, cuda:0"), "{error}");
        let error = resolve(&named("cuda:0"), || Err("said nothing for 60 s".into())).unwrap_err().to_string();
        assert!(error.contains("said nothing"), "{error}");
    }
}
