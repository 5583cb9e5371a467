//! Tools that write what they saw back into the source tree, when their variable says so.

/// The files below the project that tests are meant to change, as globs; empty when no snapshot tool was asked to
/// write. Given the variables of the user's environment.
///
/// - insta: `INSTA_UPDATE` of `always`, `new`, `unseen`, `force` or `1` (not `auto`, its default, and not `no`), and
///   the older `INSTA_FORCE_UPDATE=1`; pending snapshots are files of their own;
/// - expect-test: `UPDATE_EXPECT` of any value, empty too; its files have any name;
/// - trybuild: `TRYBUILD=overwrite`, or `wip`, which writes into the directory `wip`;
/// - snapbox: `SNAPSHOTS=overwrite`; files of any name; trycmd: `TRYCMD=overwrite`, or `dump`;
/// - goldenfile: `UPDATE_GOLDENFILES=1`, before that `REGENERATE_GOLDENFILES=1`; files of any name.
#[must_use]
pub fn snapshot_write_back<K: AsRef<[u8]>, V: AsRef<[u8]>>(env: &[(K, V)]) -> Vec<&'static str> {
    let mut globs: Vec<&'static str> =
        env.iter().flat_map(|(key, value)| globs_of(key.as_ref(), value.as_ref())).copied().collect();
    globs.sort_unstable();
    globs.dedup();
    // What writes files of any name leaves nothing for the others to add.
    if globs.contains(&ANY) { vec![ANY] } else { globs }
}

const ANY: &str = "**/*";
const INSTA: &[&str] = &["**/*.snap", "**/*.snap.new", "**/.*.pending-snap"];

fn globs_of(key: &[u8], value: &[u8]) -> &'static [&'static str] {
    match (key, value) {
        (b"INSTA_UPDATE", b"always" | b"1" | b"new" | b"unseen" | b"force") => INSTA,
        (b"INSTA_FORCE_UPDATE" | b"INSTA_FORCE_UPDATE_SNAPSHOTS", b"1") => INSTA,
        (b"TRYBUILD", b"overwrite") => &["**/*.stderr"],
        (b"TRYBUILD", b"wip") => &["**/wip/*"],
        (b"TRYCMD", b"dump") => &["**/dump/**"],
        (b"UPDATE_EXPECT", _)
        | (b"SNAPSHOTS" | b"TRYCMD", b"overwrite")
        | (b"UPDATE_GOLDENFILES" | b"REGENERATE_GOLDENFILES", b"1") => &[ANY],
        _ => &[],
    }
}
