//! A map kept as a sorted vector, for keys that nearly always rise.
//!
//! Terms are such keys: the last one is asked for again and again, a new one is later than all before.
//! Both cost constant time; anything else is a binary search.

/// Values by key, sorted.
#[derive(Clone, Debug)]
pub(crate) struct Ordered<K, V> {
    items: Vec<(K, V)>,
}

impl<K, V> Default for Ordered<K, V> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<K: Ord + Copy, V> Ordered<K, V> {
    fn find(&self, key: K) -> Result<usize, usize> {
        match self.items.last() {
            None => Err(0),
            Some((last, _)) if *last == key => Ok(self.items.len() - 1),
            Some((last, _)) if *last < key => Err(self.items.len()),
            Some(_) => self.items.binary_search_by_key(&key, |(key, _)| *key),
        }
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        self.find(key).ok().map(|place| &self.items[place].1)
    }

    /// The value of `key`, which is put there first if there is none.
    pub(crate) fn or_insert(&mut self, key: K, value: V) -> &mut V {
        let place = match self.find(key) {
            Ok(place) => place,
            Err(place) => {
                self.items.insert(place, (key, value));
                place
            }
        };
        &mut self.items[place].1
    }

    /// In rising order of the keys.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &(K, V)> + ExactSizeIterator {
        self.items.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: any order of insertion gives the same sorted map; the first value stays.
    #[test]
    fn keys_are_sorted_and_first_values_stay() {
        let mut map = Ordered::default();
        for key in [5, 7, 6, 7, 1] {
            map.or_insert(key, key * 10);
        }
        *map.or_insert(6, 0) += 1;
        assert_eq!(map.iter().copied().collect::<Vec<_>>(), [(1, 10), (5, 50), (6, 61), (7, 70)]);
        assert_eq!((map.get(6), map.get(2)), (Some(&61), None));
    }
}
