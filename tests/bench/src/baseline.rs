//! What the stores by themselves do with the same writes, in the same run: the measure of what the server adds.

use std::path::Path;
use std::time::Instant;

use redb::{Database, ReadableTable as _, TableDefinition};

use crate::load::{Clients, Took};

/// Creates `count` keys in etcd, each if it is absent, as the API server does: transactions with as many in flight.
pub fn etcd(clients: &mut Clients, count: usize, key: impl Fn(usize) -> String + Sync, value: &[u8]) -> Took {
    clients.run_with(
        count,
        |number, request| {
            request.method = crate::wire::Method::Post;
            request.content_type = "application/grpc";
            request.path.clear();
            request.path.push_str("/etcdserverpb.KV/Txn");
            create_if_absent(key(number).as_bytes(), value, &mut request.body);
        },
        |number, answer| assert!(succeeded(answer), "transaction {number} was not taken: {answer:?}"),
    )
}

/// A `TxnRequest`, with the five bytes that gRPC puts before a message.
fn create_if_absent(key: &[u8], value: &[u8], to: &mut Vec<u8>) {
    // Compare { result = EQUAL (0, left out), target = CREATE, key, create_revision = 0 }
    let mut compare = vec![0x10, 1];
    field(&mut compare, 3, key);
    compare.extend_from_slice(&[0x28, 0]);
    // RequestOp { request_put = PutRequest { key, value } }
    let mut put = Vec::with_capacity(key.len() + value.len() + 16);
    field(&mut put, 1, key);
    field(&mut put, 2, value);
    let mut operation = Vec::with_capacity(put.len() + 8);
    field(&mut operation, 2, &put);
    to.clear();
    to.extend_from_slice(&[0; 5]);
    field(to, 1, &compare);
    field(to, 2, &operation);
    let length = (to.len() - 5) as u32;
    to[1..5].copy_from_slice(&length.to_be_bytes());
}

/// A field of protobuf that has a length.
fn field(to: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    to.push(number << 3 | 2);
    let mut rest = bytes.len();
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
    to.extend_from_slice(bytes);
}

/// Whether a `TxnResponse { header, succeeded, … }` says that the comparison held.
fn succeeded(answer: &[u8]) -> bool {
    // The header comes first, and is shorter than 128 bytes.
    let Some([0x0a, length, rest @ ..]) = answer.get(5..) else { return false };
    matches!(rest.get(usize::from(*length)..), Some([0x10, 1, ..]))
}

/// Creates `count` keys in a file of redb below `folder`, as many in a transaction as are in flight, each transaction synced
/// to the disk: nobody who waits for each group can do more of them.
pub fn redb(folder: &Path, in_flight: usize, count: usize, key: impl Fn(usize) -> String, value: &[u8]) -> Took {
    const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("objects");
    let folder = tempfile::tempdir_in(folder).expect("a folder");
    let database = Database::create(folder.path().join("raw.redb")).expect("a database");
    let (begin, mut each) = (Instant::now(), Vec::with_capacity(count));
    for group in (0..count).step_by(in_flight) {
        let sent = Instant::now();
        let transaction = database.begin_write().expect("a transaction");
        {
            let mut table = transaction.open_table(TABLE).expect("a table");
            for number in group..(group + in_flight).min(count) {
                let key = key(number);
                assert!(table.get(key.as_bytes()).expect("a read").is_none(), "{key} is absent");
                table.insert(key.as_bytes(), value).expect("a write");
            }
        }
        transaction.commit().expect("a commit");
        let time = sent.elapsed();
        each.extend((group..(group + in_flight).min(count)).map(|_| time));
    }
    Took { time: begin.elapsed(), each }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_transaction_is_encoded_as_etcd_reads_it() {
        let mut bytes = Vec::new();
        create_if_absent(b"k", b"v", &mut bytes);
        let compare = [0x0a, 7, 0x10, 1, 0x1a, 1, b'k', 0x28, 0];
        let put = [0x12, 8, 0x12, 6, 0x0a, 1, b'k', 0x12, 1, b'v'];
        assert_eq!(bytes, [&[0, 0, 0, 0, 19][..], &compare, &put].concat());
        assert!(succeeded(&[0, 0, 0, 0, 6, 0x0a, 2, 0x18, 9, 0x10, 1]));
        assert!(!succeeded(&[0, 0, 0, 0, 4, 0x0a, 2, 0x18, 9]));
    }
}
