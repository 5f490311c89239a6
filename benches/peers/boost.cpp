// The same replacements of blocks as blocks.rs, in boost::interprocess's managed_shared_memory: one
// process, and two at once. Prints nanoseconds for one alloc + free, the median of seven rounds.
//
//   apt-get download libboost1.74-dev && dpkg -x libboost1.74-dev_*.deb boost
//   g++ -O2 -Iboost/usr/include benches/peers/boost.cpp -o boost-blocks -lpthread -lrt && ./boost-blocks

#include <algorithm>
#include <boost/interprocess/managed_shared_memory.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace ipc = boost::interprocess;

constexpr std::size_t WORKING = 4096, BATCH = 64, ROUNDS = 7;

struct Random {
    std::uint64_t state = 88172645463325252u;
    std::uint64_t next() {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return state * 0x2545F4914F6CDD1Du >> 16;
    }
    std::size_t bytes() { return 16 + next() % 31 * 8; }
};

struct Side {
    ipc::managed_shared_memory &memory;
    std::vector<void *> blocks;
    Random random;

    void *block() {
        std::size_t bytes = random.bytes();
        auto *words = static_cast<std::uint64_t *>(memory.allocate(bytes));
        words[0] = 1;
        words[1] = bytes;
        return words;
    }

    // Nanoseconds for one, over 300 ms.
    double round() {
        while (blocks.size() < WORKING) blocks.push_back(block());
        auto started = std::chrono::steady_clock::now();
        std::size_t done = 0;
        for (;;) {
            for (int times = 0; times < 16; times++, done += BATCH) {
                std::size_t start = random.next() % (WORKING - BATCH + 1);
                for (std::size_t index = start; index < start + BATCH; index++) {
                    void *fresh = block();
                    memory.deallocate(blocks[index]);
                    blocks[index] = fresh;
                }
            }
            std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - started;
            if (time.count() > 3e8) return time.count() / done;
        }
    }

    double median() {
        std::vector<double> rounds;
        for (std::size_t index = 0; index < ROUNDS; index++) rounds.push_back(round());
        std::sort(rounds.begin(), rounds.end());
        return rounds[ROUNDS / 2];
    }
};

int main() {
    std::string name = "shm-peers-boost-" + std::to_string(getpid());
    ipc::managed_shared_memory memory(ipc::create_only, name.c_str(), 256u << 20);
    Side side{memory, {}, {}};
    std::printf("boost::interprocess, one process: %.1f ns\n", side.median());
    std::fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        ipc::managed_shared_memory again(ipc::open_only, name.c_str());
        Side other{again, {}, {}};
        std::printf("boost::interprocess, two at once: %.1f ns\n", other.median());
        std::fflush(stdout);
        _exit(0);
    }
    std::printf("boost::interprocess, two at once: %.1f ns\n", side.median());
    waitpid(child, nullptr, 0);
    ipc::shared_memory_object::remove(name.c_str());
}
