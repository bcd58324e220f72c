//! `third_party/libtorch` of a checkout: a link to the cache, or a folder with one link to the user's own libtorch.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use super::version_of;
use crate::{FetchError, catalogue::TORCH_VERSION, place};

/// What linking did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    /// The link was right already.
    Already,
    /// The link was made or replaced.
    Changed,
}

/// The user's own `LIBTORCH`, if it is set to something else than this checkout's `third_party/libtorch/torch`, which
/// `.cargo/config.toml` sets for everything that cargo starts.
pub fn user_libtorch(checkout: &Path) -> Option<PathBuf> {
    chosen_by_user(checkout, env::var_os("LIBTORCH").map(PathBuf::from))
}

fn chosen_by_user(checkout: &Path, libtorch: Option<PathBuf>) -> Option<PathBuf> {
    let libtorch = libtorch.filter(|path| !path.as_os_str().is_empty())?;
    // Compared as a path, not by what it points to: a link of ours may point to the user's folder.
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (given, ours) = (absolute(&libtorch), absolute(&spot(checkout).join("torch")));
    let parent = |path: &Path| Some((path.parent()?.parent()?.canonicalize().ok()?, path.file_name()?.to_owned()));
    let same = given == ours || (given.ends_with("third_party/libtorch/torch") && parent(&given) == parent(&ours));
    (!same).then_some(libtorch)
}

fn spot(checkout: &Path) -> PathBuf {
    checkout.join("third_party/libtorch")
}

/// Makes `third_party/libtorch` a link to `target` (the folder that holds `torch` and `nvidia`). A link that points
/// elsewhere is replaced; a real folder never is.
///
/// # Errors
/// [`FetchError::NotOurs`] if a real folder or file stands there.
pub fn link(checkout: &Path, target: &Path) -> Result<Linked, FetchError> {
    let path = spot(checkout);
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => {}
        // A folder with nothing but our link to the user's libtorch is ours.
        Ok(metadata) if metadata.is_dir() && holds_only_our_link(&path)? => {
            place::remove(&path.join("torch"))?;
            fs::remove_dir(&path).map_err(FetchError::io("remove", &path))?;
        }
        Ok(_) => return Err(FetchError::NotOurs { path }),
        Err(_) => place::folder(&checkout.join("third_party"))?,
    }
    point(&path, target)
}

/// Makes `third_party/libtorch/torch` a link to the user's libtorch (the folder that holds `lib` and `include`), after
/// its version has been checked.
///
/// # Errors
/// [`FetchError::WrongLibtorch`], [`FetchError::UnknownLibtorch`], [`FetchError::NotOurs`].
pub fn link_user(checkout: &Path, libtorch: &Path) -> Result<Linked, FetchError> {
    let libtorch = libtorch.canonicalize().map_err(FetchError::io("find LIBTORCH", libtorch))?;
    match version_of(&libtorch) {
        Some(version) if version == TORCH_VERSION => {}
        Some(found) => return Err(FetchError::WrongLibtorch { path: libtorch, found, wanted: TORCH_VERSION }),
        None => return Err(FetchError::UnknownLibtorch { path: libtorch }),
    }
    let path = spot(checkout);
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => place::remove(&path)?,
        Ok(metadata) if metadata.is_dir() && holds_only_our_link(&path)? => {}
        Ok(_) => return Err(FetchError::NotOurs { path }),
        Err(_) => {}
    }
    place::folder(&path)?;
    point(&path.join("torch"), &libtorch)
}

/// Whether the folder is empty or holds one thing, a link called `torch`.
fn holds_only_our_link(folder: &Path) -> Result<bool, FetchError> {
    let entries = fs::read_dir(folder).map_err(FetchError::io("read", folder))?;
    Ok(entries.filter_map(Result::ok).all(|entry| entry.file_name() == "torch" && entry.path().is_symlink()))
}

/// Makes `path` a link to `target`, in one step where another link stands.
fn point(path: &Path, target: &Path) -> Result<Linked, FetchError> {
    if fs::read_link(path).is_ok_and(|current| current == target) {
        return Ok(Linked::Already);
    }
    let temporary = place::beside(path, &format!("partial-{}", std::process::id()));
    place::remove(&temporary)?;
    symlink(target, &temporary).map_err(FetchError::io("link", &temporary))?;
    place::rename(&temporary, path)?;
    Ok(Linked::Changed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn libtorch(folder: &Path, version: &str) -> PathBuf {
        fs::create_dir_all(folder.join("lib")).unwrap();
        fs::write(folder.join("build-version"), version).unwrap();
        folder.to_owned()
    }

    #[test]
    fn a_stale_link_is_replaced_and_a_right_one_left() {
        let dir = tempfile::tempdir().unwrap();
        let (checkout, a, b) = (dir.path().join("checkout"), dir.path().join("a"), dir.path().join("b"));
        for folder in [&checkout, &a, &b] {
            fs::create_dir(folder).unwrap();
        }
        assert_eq!(link(&checkout, &a).unwrap(), Linked::Changed);
        assert_eq!(link(&checkout, &a).unwrap(), Linked::Already);
        fs::remove_dir(&a).unwrap();
        assert_eq!(link(&checkout, &b).unwrap(), Linked::Changed, "a dangling link is replaced too");
        assert_eq!(fs::read_link(checkout.join("third_party/libtorch")).unwrap(), b);
    }

    #[test]
    fn a_real_folder_is_never_touched() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("third_party/libtorch/torch/lib");
        fs::create_dir_all(&real).unwrap();
        fs::write(real.join("libc10.so"), "x").unwrap();
        assert!(matches!(link(dir.path(), dir.path()), Err(FetchError::NotOurs { .. })));
        let own = libtorch(&dir.path().join("own"), "2.11.0");
        assert!(matches!(link_user(dir.path(), &own), Err(FetchError::NotOurs { .. })));
        assert!(real.join("libc10.so").exists());
    }

    #[test]
    fn the_users_libtorch_is_checked_and_linked_and_unlinked() {
        let dir = tempfile::tempdir().unwrap();
        let checkout = dir.path().join("checkout");
        let target = dir.path().join("cache");
        fs::create_dir_all(&target).unwrap();
        let old = libtorch(&dir.path().join("old"), "2.9.1+cpu");
        let right = libtorch(&dir.path().join("right"), "2.11.0+cpu").canonicalize().unwrap();
        let error = link_user(&checkout, &old).unwrap_err();
        assert!(matches!(&error, FetchError::WrongLibtorch { found, .. } if found == "2.9.1"), "{error}");
        assert!(matches!(link_user(&checkout, &target), Err(FetchError::UnknownLibtorch { .. })));
        assert!(!checkout.join("third_party").exists());

        link(&checkout, &target).unwrap();
        assert_eq!(link_user(&checkout, &right).unwrap(), Linked::Changed);
        assert_eq!(link_user(&checkout, &right).unwrap(), Linked::Already);
        assert_eq!(fs::read_link(checkout.join("third_party/libtorch/torch")).unwrap(), right);
        assert!(target.exists() && fs::read_dir(&target).unwrap().next().is_none());
        assert_eq!(link(&checkout, &target).unwrap(), Linked::Changed);
        assert!(right.join("build-version").exists());
    }

    #[test]
    fn what_cargo_sets_is_not_the_users_choice() {
        let dir = tempfile::tempdir().unwrap();
        let checkout = dir.path().join("checkout");
        fs::create_dir_all(checkout.join("third_party")).unwrap();
        let ours = checkout.join("third_party/libtorch/torch");
        assert_eq!(chosen_by_user(&checkout, Some(ours.clone())), None);
        let alias = dir.path().join("alias");
        symlink(&checkout, &alias).unwrap();
        assert_eq!(chosen_by_user(&checkout, Some(alias.join("third_party/libtorch/torch"))), None);
        assert_eq!(chosen_by_user(&checkout, None), None);
        assert_eq!(chosen_by_user(&checkout, Some("".into())), None);
        assert_eq!(chosen_by_user(&checkout, Some("/opt/libtorch".into())), Some("/opt/libtorch".into()));
        let other = dir.path().join("other/third_party/libtorch/torch");
        assert_eq!(chosen_by_user(&checkout, Some(other.clone())), Some(other));
    }
}
