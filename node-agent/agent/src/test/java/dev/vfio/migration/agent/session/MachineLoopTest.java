package dev.vfio.migration.agent.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.Outcome;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** A fault of ours never ends a session without a word. */
class MachineLoopTest {
  private final List<String> seen = new ArrayList<>();

  private final class Recording implements MachineLoop.Effects<String, String, String> {
    @Override
    public String perform(String action) {
      throw new OutOfMemoryError("Cannot reserve direct buffer memory");
    }

    @Override
    public String broken(String action, Throwable fault) {
      seen.add("broken " + action);
      return "failed";
    }

    @Override
    public void stuck(Throwable fault) {
      seen.add("stuck " + fault.getMessage());
    }

    @Override
    public void takes(String state, String event) {
      // What is performed tells the order.
    }

    @Override
    public void entered(String state) {
      seen.add("entered " + state);
    }
  }

  private static final class Here implements SessionThread {
    @Override
    public void execute(Runnable task) {
      task.run();
    }

    @Override
    public Timer schedule(Duration delay, Runnable task) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void waitBeside(Runnable waiting) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void await(CompletableFuture<?> answer) {
      throw new UnsupportedOperationException();
    }
  }

  private static final class Still implements SessionClock {
    @Override
    public long nanoTime() {
      return 1;
    }

    @Override
    public long epochNanos() {
      return 1;
    }
  }

  private MachineLoop<String, String, String> loop(MachineLoop.Machine<String, String, String> m) {
    return new MachineLoop<>(m, new Recording(), new Here(), new Still(), "new");
  }

  @Test
  void workThatFindsNoMemoryHasFailed() {
    loop((state, event, now) ->
            event.equals("begin")
                ? new Outcome<>("working", List.of("copy"))
                : new Outcome<>(event, List.of()))
        .post("begin");
    assertThat(seen).containsExactly("entered working", "broken copy", "entered failed");
  }

  @Test
  void anEventThatIsNotTakenIsReported() {
    loop((state, event, now) -> {
          throw new IllegalStateException("cannot get " + event);
        })
        .post("begin");
    assertThat(seen).containsExactly("stuck cannot get begin");
  }
}
