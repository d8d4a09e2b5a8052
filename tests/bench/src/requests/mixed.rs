//! What clients do together: of twenty requests fourteen reads, three patches, a create, a delete, and a page of a list.

use super::objects::{create, create_one, delete, delete_one, get_one, patch_one, spread};
use super::scene::Scene;
use crate::kinds::Kind;
use crate::wire::{Method, Request};

const TURN: usize = 20;

/// Twice as many requests as there are objects. What it deleted is there again afterwards, what it created is gone.
pub fn measured(scene: &mut Scene<'_>, kind: &Kind, objects: usize) {
    let turns = objects / 10;
    // The last tenth is deleted; reads and patches stay off it.
    let (rest, count) = (objects - turns, turns * TURN);
    scene.measure("mixed", count, |clients| {
        clients.run(count, |number, request| one(kind, objects, rest, number, request))
    });
    delete(&mut scene.clients, kind, objects..objects + turns);
    create(&mut scene.clients, kind, rest..objects);
}

fn one(kind: &Kind, objects: usize, rest: usize, number: usize, request: &mut Request) {
    let (turn, any) = (number / TURN, spread(number, rest));
    match number % TURN {
        0 => create_one(kind, objects + turn, request),
        1 => delete_one(kind, rest + turn, request),
        2 => {
            request.method = Method::Get;
            request.body.clear();
            request.path.clone_from(&kind.all);
            request.path.push_str("?limit=100");
        }
        3..=5 => patch_one(kind, any, &number.to_string(), request),
        _ => get_one(kind, any, request),
    }
}
