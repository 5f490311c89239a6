use shm::Shared;

#[derive(Shared)]
struct Pair<T> {
    left: T,
}

fn make(segment: &shm::Segment) {
    let _ = segment.alloc(Pair { left: std::rc::Rc::new(1) });
}

fn main() {}
