//! Opening: what is made, what is brought up to date, and what is refused.

use std::thread::scope;

use super::super::database::Database;
use super::super::open::prepare;
use super::*;

contract!(
    several_processes_may_open_a_new_store_at_once,
    an_older_schema_is_brought_up_to_date,
    a_newer_schema_is_refused,
);

fn refused(address: &Address) -> String {
    let error = open(address).err().expect("it cannot be opened");
    assert_eq!(error.kind(), "store", "{error}");
    error.to_string()
}

fn several_processes_may_open_a_new_store_at_once(place: &Place) {
    scope(|scope| {
        for number in 0..6 {
            scope.spawn(move || place.open().create(&about(&number.to_string())).unwrap());
        }
    });
    assert_eq!(place.open().studies().unwrap().len(), 6);
}

fn an_older_schema_is_brought_up_to_date(place: &Place) {
    prepare(&Database::new(place.address.clone()).unwrap(), 1).unwrap();
    place.execute(
        "insert into studies (name, script, seed, about, created, term, holder, ticket) values \
         ('old', 's.rhai', '7', '{\"name\":\"old\",\"script\":\"s.rhai\",\"seed\":7,\"params\":{},\
         \"folder\":null,\"parent\":null,\"kernel_version\":1}', 1.5, 4, '', 'x')",
    );
    let store = place.open();
    let old = store.find("old").unwrap().unwrap();
    assert_eq!((old.created, old.about.kernel_version), (1.5, 1));
    let tenure = store.take(old.id).unwrap();
    tenure.append(&trial(1, Some(0.5))).unwrap();
    let job = NewJob {
        digest: digest(1),
        payload: "{}".into(),
        study: Some(old.id),
        attempts: 1,
    };
    assert_eq!(store.enqueue(&[job]).unwrap().len(), 1);
}

fn a_newer_schema_is_refused(place: &Place) {
    drop(place.open());
    place.execute(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         select version + 5, 'later', success, checksum, 0 from _sqlx_migrations",
    );
    let message = refused(&place.address);
    let expected = "it has schema version 8, this program knows up to 3: update nas-script";
    assert!(message.ends_with(expected), "{message}");
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.db");
    std::fs::write(&text, "no database, ".repeat(100)).unwrap();
    let message = refused(&Address::file(&text));
    assert!(message.contains("file is not a database"), "{message}");
    assert!(message.contains("notes.db"), "{message}");
    assert_eq!(std::fs::read_to_string(&text).unwrap().len(), 1300);
    let message = refused(&Address::file(folder.path()));
    assert!(message.contains("unable to open"), "{message}");
    let message = refused(&Address::file(folder.path().join("no/such/folder.db")));
    assert!(message.contains("unable to open"), "{message}");
    let left: Vec<_> = folder.path().read_dir().unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
