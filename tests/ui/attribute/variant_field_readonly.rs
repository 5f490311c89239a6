use shm::Shared;

#[derive(Shared)]
enum State {
    Running {
        #[shared(readonly)]
        rpm: u32,
    },
}

fn main() {}
