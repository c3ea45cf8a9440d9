//! Changes numbers of what is written as JSON, whatever field they are in: they can be found without naming each.

use serde_json::Value;

use crate::dice::Dice;

/// Changes that were drawn, and are made together, since finding a number costs more than changing it.
#[derive(Default)]
pub(crate) struct Numbers(Vec<Change>);

struct Change {
    /// Which number: modulo how many there are.
    place: usize,
    how: How,
}

/// What becomes of a number.
enum How {
    /// This.
    Is(u64),
    /// This many sixteenths of it.
    Times(u64),
    /// So much more, or less.
    Plus(i8),
}

impl Numbers {
    /// Draws one change more.
    pub(crate) fn draw(&mut self, dice: &mut Dice<'_>) {
        let place = usize::from(dice.byte()) | usize::from(dice.byte()) << 8;
        let how = match dice.below(4) {
            0 => How::Times(u64::from(dice.byte())),
            1 => How::Plus(dice.byte().cast_signed()),
            2 => How::Is(u64::from(dice.byte())),
            _ => How::Is(dice.near(1_000)),
        };
        self.0.push(Change { place, how });
    }

    /// Whether none was drawn.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes the changes, one after the other. One that leads to what is not `sound` is left out.
    pub(crate) fn write(self, value: &mut Value, mut sound: impl FnMut(&Value) -> bool) {
        let mut places = Vec::new();
        numbers(value, &mut String::new(), &mut places);
        for Change { place, how } in self.0 {
            let place = &places[place % places.len()];
            let number = value.pointer_mut(place).expect("it was found there");
            let before = number.clone();
            let present = before.as_u64().unwrap_or_default();
            let changed = match how {
                How::Is(number) => number,
                How::Times(sixteenths) => present.saturating_mul(sixteenths) / 16,
                How::Plus(more) => present.saturating_add_signed(more.into()),
            };
            *number = changed.into();
            if !sound(value) {
                *value.pointer_mut(place).expect("it was found there") = before;
            }
        }
    }
}

/// Where the numbers are.
fn numbers(value: &Value, at: &mut String, found: &mut Vec<String>) {
    let end = at.len();
    let mut inside = |name: &str, value: &Value| {
        at.push('/');
        at.push_str(name);
        numbers(value, at, found);
        at.truncate(end);
    };
    match value {
        Value::Array(items) => {
            for (item, value) in items.iter().enumerate() {
                inside(&item.to_string(), value);
            }
        }
        Value::Object(fields) => fields.iter().for_each(|(field, value)| inside(field, value)),
        Value::Number(_) => found.push(at.clone()),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
