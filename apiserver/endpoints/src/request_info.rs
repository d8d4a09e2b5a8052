//! What a request is about: upstream`s RequestInfo.
