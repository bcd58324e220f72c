//! The files of a model, one by one: downloaded beside, proved, and only then given their names.

use std::{fs::File, io::Read, path::Path};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{
    Hub, HubError, HubFile, HubPlace,
    listing::{Listed, Proof},
};
use crate::{
    FetchError, Progress,
    digest::hex,
    http::{self, Order},
    place::{self, beside},
};

/// Takes all files into the folder `work`. Files that are there already, from a fetch that was cut off, are proved like new ones.
pub(super) fn all(
    hub: &Hub,
    place: &HubPlace,
    commit: &str,
    files: &[Listed],
    work: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<HubFile>, FetchError> {
    place::folder(work)?;
    files.iter().map(|file| one(hub, place, commit, file, work, progress)).collect()
}

fn one(
    hub: &Hub,
    place: &HubPlace,
    commit: &str,
    file: &Listed,
    work: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<HubFile, FetchError> {
    let path = work.join(&file.name);
    if path.is_file() {
        match prove(&path, file, place) {
            Ok(sha256) => return Ok(HubFile { name: file.name.clone(), bytes: file.bytes, sha256 }),
            Err(_) => place::remove(&path)?,
        }
    }
    let partial = beside(&path, "part");
    let url = hub.endpoint.file(&place.repo, commit, &file.name);
    let order = Order {
        url: &url,
        partial: &partial,
        bytes: file.bytes,
        most: Some(file.bytes),
        judged: true,
        any_beginning: true,
        token: hub.endpoint.token.as_ref(),
        stop: hub.stop,
        patience: hub.patience(),
    };
    let mut bring = || http::download(order, progress).map_err(|why| hub.undelivered(place, &url, why));
    let doubtful = bring()?;
    let sha256 = match prove(&partial, file, place) {
        Ok(sha256) => sha256,
        // A part may have come from another file, or be missing; from the beginning, once.
        Err(_) if doubtful => {
            place::remove(&partial)?;
            bring()?;
            prove(&partial, file, place).or_else(|error| place::remove(&partial).and(Err(error)))?
        }
        Err(error) => {
            place::remove(&partial)?;
            return Err(error);
        }
    };
    place::publish(&partial, &path)?;
    Ok(HubFile { name: file.name.clone(), bytes: file.bytes, sha256 })
}

/// The SHA-256 of a file whose size and digest are the listed ones.
fn prove(path: &Path, file: &Listed, place: &HubPlace) -> Result<String, FetchError> {
    let io = |error| FetchError::io("read", path)(error);
    let mut reader = File::open(path).map_err(io)?;
    let bytes = reader.metadata().map_err(io)?.len();
    let (mut sha256, mut git, mut buffer) = (Sha256::new(), Sha1::new(), vec![0; 1 << 20]);
    git.update(format!("blob {bytes}\0"));
    loop {
        let count = reader.read(&mut buffer).map_err(io)?;
        if count == 0 {
            break;
        }
        sha256.update(&buffer[..count]);
        if matches!(file.proof, Proof::GitSha1(_)) {
            git.update(&buffer[..count]);
        }
    }
    let sha256 = hex(&sha256.finalize());
    let (kind, expected, found) = match &file.proof {
        Proof::Sha256(listed) => ("SHA-256", listed, sha256.clone()),
        Proof::GitSha1(listed) => ("git SHA-1", listed, hex(&git.finalize())),
    };
    if found == *expected && bytes == file.bytes {
        return Ok(sha256);
    }
    let (repo, file) = (place.repo.clone(), file.name.clone());
    Err(HubError::WrongDigest { repo, file, kind, expected: expected.clone(), found }.into())
}
