//! From a fresh machine to one that can build: tools, libtorch, its link, data. Each step looks first and does only
//! what is missing, so it may be run, and interrupted, at any time.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use clmbench_fetch::{
    FetchError, Fetcher, catalogue,
    libtorch::{self, LibtorchState, Linked},
};

use crate::{cargo::run_cargo, error::XtaskError, show, show::Show, tools};

/// Which libtorch is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The one that is linked; the CPU's if none is.
    AsLinked,
    /// Without CUDA.
    Cpu,
    /// With CUDA.
    Cuda,
}

/// Does all steps.
pub fn run(checkout: &Path, variant: Variant, offline: bool) -> Result<(), XtaskError> {
    let started = Instant::now();
    println!("setup: compiler: {}", tools::cxx_compiler()?);
    let fetcher = Fetcher::from_environment()?.offline(offline);
    let before = libtorch::inspect(checkout);
    put_libtorch(checkout, &fetcher, variant)?;
    let after = libtorch::inspect(checkout);
    if !after.is_usable() {
        let path = checkout.join("third_party/libtorch/torch");
        return Err(XtaskError::Missing {
            path,
            advice: "libtorch was linked, but is not whole; remove it from the cache and run this again",
        });
    }
    if let (Some(old), Some(new)) = (with_cuda(&before), with_cuda(&after))
        && old != new
    {
        println!("setup: libtorch changed between CPU and CUDA, so its bindings will be built again");
        run_cargo(checkout, &["clean", "--release", "--locked", "--package", "torch-sys"])?;
    }
    put_data(&fetcher)?;
    println!("setup: done in {:.1} s; cache: {}", started.elapsed().as_secs_f64(), fetcher.cache().display());
    Ok(())
}

fn with_cuda(state: &LibtorchState) -> Option<bool> {
    match state {
        LibtorchState::Present { cuda, .. } => Some(*cuda),
        _ => None,
    }
}

fn put_libtorch(checkout: &Path, fetcher: &Fetcher, variant: Variant) -> Result<(), XtaskError> {
    let path = checkout.join("third_party/libtorch");
    if let Some(own) = libtorch::user_libtorch(checkout) {
        let linked = libtorch::link_user(checkout, &own)?;
        say_linked(&path.join("torch"), linked);
        return Ok(());
    }
    // A folder that the user has put there by hand is used if it is right, and never touched.
    let real = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) && !path.join("torch").is_symlink();
    if real {
        let state = libtorch::inspect(checkout);
        if !state.is_usable() {
            return Err(FetchError::NotOurs { path }.into());
        }
        println!("setup: {state}: a folder of your own, used as it is");
        return Ok(());
    }
    let cuda = match variant {
        Variant::Cuda => true,
        Variant::Cpu => false,
        Variant::AsLinked => linked_to(&path, fetcher, true),
    };
    let kind = if cuda { "CUDA" } else { "CPU" };
    let installed = match libtorch::is_installed(fetcher, cuda) {
        Some(installed) => installed,
        None => {
            let plan = libtorch::plan(cuda);
            let known: u64 = plan.iter().map(|wheel| wheel.bytes).sum();
            let more = if plan.iter().any(|wheel| wheel.bytes == 0) { ", about 2.6 GB" } else { "" };
            println!("setup: libtorch {} ({kind}): {} wheels, {}{more}", catalogue::TORCH_VERSION, plan.len(), show::size(known));
            let mut show = Show::new();
            let installed = libtorch::install(fetcher, cuda, &mut |progress| show.update(progress));
            show.finish();
            installed?
        }
    };
    let how = if installed.fresh { "unpacked" } else { "already there" };
    println!("setup: libtorch {} ({kind}): {how}, {} of libraries", catalogue::TORCH_VERSION, show::size(installed.bytes));
    say_linked(&path, libtorch::link(checkout, &installed.folder)?);
    Ok(())
}

/// Whether `third_party/libtorch` points to the CPU or CUDA tree of this cache.
fn linked_to(path: &Path, fetcher: &Fetcher, cuda: bool) -> bool {
    libtorch::is_installed(fetcher, cuda).is_some_and(|tree| fs::read_link(path).is_ok_and(|target| target == tree.folder))
}

fn say_linked(path: &Path, linked: Linked) {
    let target: PathBuf = fs::read_link(path).unwrap_or_default();
    let how = match linked {
        Linked::Already => "already linked to",
        Linked::Changed => "linked to",
    };
    println!("setup: third_party/libtorch {how} {}", target.display());
}

/// The corpora and the demo's dataset, so that nothing afterwards needs a network.
fn put_data(fetcher: &Fetcher) -> Result<(), XtaskError> {
    let files = catalogue::setup_files();
    let bytes: u64 = files.iter().map(|file| file.bytes()).sum();
    let missing: Vec<_> = files.iter().filter(|file| fetcher.cached_source_file(file).is_none()).collect();
    let mut show = Show::new();
    for file in &missing {
        fetcher.source_file(file, &mut |progress| show.update(progress))?;
    }
    show.finish();
    let how = if missing.is_empty() { "already there".to_owned() } else { format!("{} fetched", missing.len()) };
    println!("setup: data: {} files, {}, {how}", files.len(), show::size(bytes));
    Ok(())
}
