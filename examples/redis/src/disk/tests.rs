//! Goal: whatever a crash leaves of a write is read as a prefix of it, and nothing else is read as a log.

use raft_core::{Append, Incarnation, Membership, Payload, Term};
use tempfile::TempDir;

use super::*;

const IDENTITY: Identity = Identity { cluster: ClusterId(1), node: NodeId(2) };

/// What a node would find.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    restored: Option<Restored>,
    entries: Vec<Entry>,
}

fn folder() -> TempDir {
    TempDir::new().expect("a folder for the test")
}

fn open(folder: &Path) -> Disk {
    Disk::open(folder, IDENTITY).expect("the disk can be opened")
}

fn found(disk: &mut Disk) -> Found {
    let restored = disk.restored().expect("it can be read");
    let last = LogIndex(disk.entries.len() as u64);
    let entries = disk.read(LogIndex(1), last, u64::MAX).map(|entries| entries.to_vec());
    Found { restored, entries: entries.unwrap_or_default() }
}

fn hard_state(term: u64) -> HardState {
    HardState { term: Term(term), vote: Some(NodeId(1)), incarnation: Incarnation(1) }
}

fn entry(term: u64, command: &'static str) -> Entry {
    Entry { term: Term(term), payload: Payload::command(command) }
}

fn append(first: u64, entries: impl IntoIterator<Item = Entry>) -> Append {
    Append { first: LogIndex(first), entries: entries.into_iter().collect() }
}

/// A founding, a first term, and a second one in which all but the first entry is replaced.
fn writes() -> Vec<Write> {
    let membership = Membership::of_voters([1, 2, 3].map(NodeId)).expect("there are voters");
    let founding = SnapshotMeta { membership: membership.into(), ..SnapshotMeta::default() };
    vec![
        Write { install: Some(founding), ..Write::default() },
        Write { hard_state: Some(hard_state(1)), ..Write::default() },
        Write {
            append: Some(append(1, [entry(1, "a"), entry(1, "bb"), entry(1, "ccc")])),
            commit: Some(LogIndex(1)),
            ..Write::default()
        },
        Write {
            hard_state: Some(hard_state(2)),
            truncate_from: Some(LogIndex(2)),
            append: Some(append(2, [entry(2, "dddd"), entry(2, "eeeee")])),
            commit: Some(LogIndex(2)),
            ..Write::default()
        },
    ]
}

/// A disk that holds all of [`writes`], its bytes, and what was found after each record, with the length then.
fn written(folder: &Path) -> (Vec<u8>, Vec<(u64, Found)>) {
    let mut disk = open(folder);
    let mut states = vec![(disk.end, found(&mut disk))];
    for record in writes().iter().flat_map(one_by_one) {
        disk.write(&record).expect("it can be written");
        states.push((disk.end, found(&mut disk)));
    }
    let bytes = fs::read(folder.join(LOG)).expect("the log is there");
    (bytes, states)
}

/// The same write as several, of one record each.
fn one_by_one(write: &Write) -> Vec<Write> {
    let Write { hard_state, install, truncate_from, append, commit, compact: _ } = write.clone();
    let entries = append.iter().flat_map(|append| {
        let numbered = (append.first.0..).zip(append.entries.iter().cloned());
        numbered.map(|(index, entry)| Write {
            append: Some(self::append(index, [entry])),
            ..Write::default()
        })
    });
    let mut parts: Vec<Write> = Vec::new();
    parts.extend(hard_state.map(|part| Write { hard_state: Some(part), ..Write::default() }));
    parts.extend(install.map(|part| Write { install: Some(part), ..Write::default() }));
    parts.extend(truncate_from.map(|from| Write { truncate_from: Some(from), ..Write::default() }));
    parts.extend(entries);
    parts.extend(commit.map(|part| Write { commit: Some(part), ..Write::default() }));
    parts
}

#[test]
fn what_was_written_is_found_again() {
    let folder = folder();
    let mut disk = open(folder.path());
    assert_eq!(disk.restored().expect("it can be read"), None, "a new disk");
    for write in writes() {
        disk.write(&write).expect("it can be written");
    }
    let before = found(&mut disk);
    drop(disk);
    let mut disk = open(folder.path());
    assert_eq!(disk.torn_bytes(), 0);
    assert_eq!(found(&mut disk), before);
    assert_eq!(before.entries, [entry(1, "a"), entry(2, "dddd"), entry(2, "eeeee")]);
    let restored = before.restored.expect("it was written");
    assert_eq!(restored.hard_state, hard_state(2));
    assert_eq!(restored.snapshot.membership.voters(), [1, 2, 3].map(NodeId));
    assert_eq!(restored.commit, LogIndex(2));
    assert_eq!(restored.log.last(), LogPosition::new(Term(2), LogIndex(3)));
}

#[test]
fn a_write_is_the_same_as_its_parts_one_by_one() {
    let (whole, parts) = (folder(), folder());
    let mut disk = open(whole.path());
    for write in writes() {
        disk.write(&write).expect("it can be written");
    }
    let (bytes, _) = written(parts.path());
    assert_eq!(fs::read(whole.path().join(LOG)).expect("the log is there"), bytes);
}

#[test]
fn a_log_torn_at_any_byte_is_a_prefix_and_goes_on() {
    let (source, torn) = (folder(), folder());
    let (bytes, states) = written(source.path());
    let identity_ends = states[0].0;
    for length in identity_ends..=bytes.len() as u64 {
        let left = &bytes[..usize::try_from(length).expect("it is small")];
        // A crash may also leave zeros where bytes were to be; some of those were to be zeros.
        for zeros in [0, 1, HEADER_BYTES + 1] {
            let file = [left, &vec![0; zeros]].concat();
            let right = file.iter().zip(&bytes).take_while(|(left, right)| left == right).count();
            let whole = states.iter().rfind(|(end, _)| *end <= right as u64);
            let (end, expected) = whole.expect("the identity is whole");
            fs::write(torn.path().join(LOG), &file).expect("written");
            let mut disk = open(torn.path());
            assert_eq!(found(&mut disk), *expected, "{length} bytes and {zeros} zeros");
            assert_eq!(disk.torn_bytes(), file.len() as u64 - end);
            assert_eq!(fs::metadata(torn.path().join(LOG)).expect("there").len(), *end);
        }
        let mut disk = open(torn.path());
        let hard_state = Some(hard_state(9));
        disk.write(&Write { hard_state, ..Write::default() }).expect("it goes on");
        drop(disk);
        let restored = found(&mut open(torn.path())).restored.expect("something was written");
        assert_eq!(Some(restored.hard_state), hard_state, "after {length} bytes");
    }
}

#[test]
fn nothing_is_read_from_a_broken_record_on() {
    let (source, broken) = (folder(), folder());
    let (bytes, states) = written(source.path());
    let identity_ends = usize::try_from(states[0].0).expect("it is small");
    for at in identity_ends..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x40;
        fs::write(broken.path().join(LOG), &changed).expect("written");
        let before = states.iter().rfind(|(end, _)| *end <= at as u64).expect("one");
        let mut disk = open(broken.path());
        assert_eq!(found(&mut disk), before.1, "byte {at} is wrong");
        assert_eq!(disk.torn_bytes(), bytes.len() as u64 - before.0);
    }
}

#[test]
fn a_log_whose_first_record_is_damaged_is_refused() {
    let (source, damaged) = (folder(), folder());
    let (bytes, states) = written(source.path());
    let identity_ends = usize::try_from(states[0].0).expect("it is small");
    for at in 0..identity_ends {
        let mut changed = bytes.clone();
        changed[at] ^= 0x01;
        for left in [&changed[..], &bytes[..at]] {
            fs::write(damaged.path().join(LOG), left).expect("written");
            let error = Disk::open(damaged.path(), IDENTITY).expect_err("it is damaged");
            assert!(matches!(error, DiskError::NoIdentity { .. }), "byte {at}: {error}");
            assert_eq!(fs::read(damaged.path().join(LOG)).expect("there"), left, "left alone");
        }
    }
}

#[test]
fn the_disk_of_another_node_is_refused() {
    let folder = folder();
    drop(open(folder.path()));
    let others =
        [Identity { node: NodeId(3), ..IDENTITY }, Identity { cluster: ClusterId(2), ..IDENTITY }];
    for expected in others {
        let error = Disk::open(folder.path(), expected).expect_err("it is another's");
        let found = matches!(&error, DiskError::OtherIdentity { found, .. } if *found == IDENTITY);
        assert!(found, "{error}");
        assert!(error.to_string().contains("belongs to n2 of cluster 1"), "{error}");
    }
}

#[test]
fn a_disk_in_use_is_refused() {
    let folder = folder();
    let disk = open(folder.path());
    let error = Disk::open(folder.path(), IDENTITY).expect_err("it is in use");
    assert!(matches!(error, DiskError::InUse { .. }), "{error}");
    drop(disk);
    open(folder.path());
}

#[test]
fn a_crash_while_the_log_is_made_leaves_a_new_disk() {
    let folder = folder();
    let whole = encode(&Record::Identity(IDENTITY));
    for length in 0..=whole.len() {
        fs::write(folder.path().join(NEW_LOG), &whole[..length]).expect("written");
        let mut disk = open(folder.path());
        assert_eq!(disk.restored().expect("it can be read"), None, "{length} bytes");
        drop(disk);
        fs::remove_file(folder.path().join(LOG)).expect("it was made");
    }
}

#[test]
fn an_unknown_record_is_refused_and_kept() {
    let folder = folder();
    drop(open(folder.path()));
    let body = [200, 1, 2, 3];
    let length = 4_u32.to_le_bytes();
    let sum = checksum(length, &body).to_le_bytes();
    let mut bytes = fs::read(folder.path().join(LOG)).expect("the log is there");
    let at = bytes.len();
    bytes.extend([&length[..], &sum[..], &body[..]].concat());
    fs::write(folder.path().join(LOG), &bytes).expect("written");
    let error = Disk::open(folder.path(), IDENTITY).expect_err("it is unknown");
    assert!(error.to_string().contains(&format!("unknown record at byte {at}")), "{error}");
    assert_eq!(fs::read(folder.path().join(LOG)).expect("there"), bytes);
}

#[test]
fn reading_keeps_to_its_limits_and_gives_one_entry_at_least() {
    let folder = folder();
    let mut disk = open(folder.path());
    for write in writes() {
        disk.write(&write).expect("it can be written");
    }
    let one = entry(1, "a").size();
    let mut lengths = |first, last, max_bytes| {
        disk.read(LogIndex(first), LogIndex(last), max_bytes).map(|entries| entries.len()).ok()
    };
    assert_eq!(lengths(1, 3, u64::MAX), Some(3));
    assert_eq!(lengths(1, 3, 2 * one), Some(1));
    assert_eq!(lengths(1, 3, 0), Some(1));
    assert_eq!(lengths(2, 2, u64::MAX), Some(1));
    assert_eq!(lengths(3, 9, u64::MAX), Some(1));
    assert_eq!(lengths(4, 9, u64::MAX), None);
    assert_eq!(lengths(0, 3, u64::MAX), None);
}

#[test]
fn what_this_disk_cannot_hold_is_a_failed_write() {
    let folder = folder();
    let mut disk = open(folder.path());
    let position = LogPosition::new(Term(1), LogIndex(5));
    let snapshot = SnapshotMeta { position, ..SnapshotMeta::default() };
    let refused = [
        Write { install: Some(snapshot), ..Write::default() },
        Write { compact: Some(position), ..Write::default() },
        Write { append: Some(append(2, [entry(1, "a")])), ..Write::default() },
    ];
    for write in refused {
        disk.write(&write).expect_err("it cannot be held");
    }
    assert_eq!(disk.restored().expect("it can be read"), None);
}
