//! JSON Web Signatures and the keys that make and verify them: what the server and those who sign in its name share. What is
//! signed, and what is to be believed of it, is theirs.

pub mod jws;
pub mod keys;
pub mod pem;
