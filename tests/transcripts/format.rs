//! What happened, one line each.

use raft_core::{
    AppendReply, Ballot, Entry, Envelope, Event, LogIndex, LogPosition, Message, NodeId, Outcome,
    Payload, RecordedInput, Reply, Request, Write,
};

use crate::support::Happened;

/// An input stands at the margin, what follows from it is indented. Events are lines too.
pub(crate) fn line(id: NodeId, happened: &Happened) -> String {
    match happened {
        Happened::Given(step) => format!("{id} @{} {}", step.now, input(&step.input)),
        Happened::Wrote { write, .. } => format!("    write {}", write_parts(write)),
        Happened::Sent(envelope) => {
            format!("    send to {}: {}", envelope.to, message(envelope))
        }
        Happened::Applied(positions) => format!("    apply {}", joined(positions.iter())),
        Happened::Replied(Reply { request, outcome }) => {
            format!("    answer {request}: {}", self::outcome(outcome))
        }
        Happened::Noted(event) => format!("    note {}", note(event)),
    }
}

fn joined<T: ToString>(parts: impl Iterator<Item = T>) -> String {
    parts.map(|part| part.to_string()).collect::<Vec<_>>().join(" ")
}

fn input(input: &RecordedInput) -> String {
    match input {
        RecordedInput::Tick => "tick".into(),
        RecordedInput::Campaign => "campaign".into(),
        RecordedInput::Receive(envelope) => {
            format!("from {}: {}", envelope.from, message(envelope))
        }
        RecordedInput::Persisted(number) => format!("write {} is durable", number.0),
        RecordedInput::ForeignReceipt => "a receipt of another life".into(),
        RecordedInput::Applied(last) => format!("applied up to {last}"),
        RecordedInput::Request(Request::Propose { id, command }) => {
            format!("propose {id} {:?}", String::from_utf8_lossy(command))
        }
    }
}

fn write_parts(write: &Write) -> String {
    let Write { hard_state, install, truncate_from, append, commit } = write;
    let vote = |vote: Option<NodeId>| vote.map_or("nobody".into(), |id| id.to_string());
    let parts = [
        hard_state.map(|hard| {
            format!("{} vote {} life {}", hard.term, vote(hard.vote), hard.incarnation.0)
        }),
        install
            .as_ref()
            .map(|snapshot| format!("founders {}", joined(snapshot.membership.voters().iter()))),
        truncate_from.map(|first| format!("truncate from {first}")),
        append.as_ref().map(|append| format!("append {}", entries(append.first, &append.entries))),
        commit.map(|index| format!("commit {index}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn entries(first: LogIndex, entries: &[Entry]) -> String {
    let one = |(index, entry): (LogIndex, &Entry)| {
        let position = LogPosition::new(entry.term, index);
        match &entry.payload {
            Payload::Blank => format!("{position}"),
            Payload::Command { data, origin } => {
                let via =
                    origin.as_ref().map_or(String::new(), |origin| format!(" via {}", origin.node));
                format!("{position} {:?}{via}", String::from_utf8_lossy(data))
            }
            Payload::Membership(membership) => {
                format!("{position} {}", joined(membership.voters().iter()))
            }
        }
    };
    let indexes = std::iter::successors(Some(first), |index| Some(index.next()));
    format!("[{}]", indexes.zip(entries).map(one).collect::<Vec<_>>().join(", "))
}

fn message(envelope: &Envelope) -> String {
    let yes = |ballot: &Ballot| if *ballot == Ballot::Granted { "granted" } else { "refused" };
    let details = match &envelope.message {
        Message::RequestPreVote { last } | Message::RequestVote { last } => format!("last {last}"),
        Message::PreVoteReply { campaign, ballot } => format!("for {campaign} {}", yes(ballot)),
        Message::VoteReply { ballot } => yes(ballot).into(),
        Message::AppendEntries(append) => format!(
            "after {} {} commit {}",
            append.previous,
            entries(append.previous.index.next(), &append.entries),
            append.commit
        ),
        Message::AppendReply(AppendReply::Accepted { matched }) => format!("matched {matched}"),
        Message::AppendReply(AppendReply::Mismatch { refused, hint }) => {
            format!("refused {refused} hint {hint}")
        }
        Message::Heartbeat { commit, round } => format!("commit {commit} round {}", round.0),
        Message::HeartbeatReply { round } => format!("round {}", round.0),
        Message::StaleTerm => String::new(),
        Message::ForwardProposal { sequence, data, .. } => {
            format!("number {sequence} {:?}", String::from_utf8_lossy(data))
        }
        Message::ForwardRefused { sequence, refusal, .. } => {
            format!("number {sequence}: {refusal:?}")
        }
    };
    format!("{} {} {details}", envelope.message.kind(), envelope.term).trim_end().into()
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { position } => format!("done at {position}"),
        Outcome::Refused { refusal, leader } => {
            let leader = leader.map_or(String::new(), |id| format!(", ask {id}"));
            format!("refused, {refusal:?}{leader}")
        }
        Outcome::Lost { position } => format!("lost at {position}"),
        Outcome::Unknown => "unknown".into(),
    }
}

fn note(event: &Event) -> String {
    match event {
        Event::RoleChanged { from, to, term } => format!("{from} becomes {to} in {term}"),
        Event::TermChanged { from, to } => format!("moves from {from} to {to}"),
        Event::LeaderChanged { leader: Some(id), term } => format!("{id} leads {term}"),
        Event::LeaderChanged { leader: None, term } => format!("no leader known in {term}"),
        Event::ElectionTimeout { term } => format!("election timeout in {term}"),
        Event::Voted { candidate, term } => format!("votes for {candidate} in {term}"),
        Event::SteppedDown { term, reason } => format!("steps down in {term}: {reason:?}"),
        Event::Truncated { from } => format!("truncates from {from}"),
        other => format!("{other:?}"),
    }
}
