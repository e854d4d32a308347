package dev.vfio.migration.sandbox.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.SessionRecord;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord.Stage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/**
 * What becomes of a migration whose destination agent ends, at every step and whatever becomes of
 * the workload that waits: the table in {@code docs/reliability.md} says it, and schedules that end
 * the agent at every touch of the world show it. Every row is met, and none has another outcome.
 */
class DestinationAgentTableTest {
  private static final Path TABLE = Path.of("docs/reliability.md");

  /** Of each kind of device; {@code -Dseeds=N} for a longer run. */
  private static final int SEEDS = Integer.getInteger("seeds", 1);

  private static final int STEPS_TO_END = 15;
  private static final int STEPS_BEHIND = 300;

  /** Where a destination stands; the words are those of the table. */
  private enum Step {
    LISTENING("LISTENING"),
    RECEIVING("RECEIVING"),
    TRANSFERRING("RECEIVING, transferring"),
    LOADED("LOADED"),
    DECIDED("LOADED, Committed"),
    ACTIVATING("ACTIVATING"),
    TOLD("ACTIVATING, told"),
    TAKEN("ACTIVATING, taken"),
    ACTIVE("ACTIVE");

    private final String words;

    Step(String words) {
      this.words = words;
    }
  }

  /** What becomes of the workload that waits. */
  private enum Fate {
    ALIVE("lives", false),
    DEAD_MEANWHILE("dies while the agent is away", false),
    REPLACED_MEANWHILE("another, while the agent is away", false),
    DEAD_LATER("dies once the agent is back", true),
    REPLACED_LATER("another, once the agent is back", true);

    private final String words;
    private final boolean later;

    Fate(String words, boolean later) {
      this.words = words;
      this.later = later;
    }

    void befalls(Node node) {
      Runnable end =
          switch (this) {
            case ALIVE -> () -> {};
            case DEAD_MEANWHILE, DEAD_LATER -> node.workload()::die;
            case REPLACED_MEANWHILE, REPLACED_LATER -> node.workload()::receiverDies;
          };
      end.run();
    }
  }

  /** A row: what happens, without its outcome. */
  private record Row(String step, String device, String workload) implements Comparable<Row> {
    @Override
    public int compareTo(Row other) {
      return toString().compareTo(other.toString());
    }
  }

  private final Map<Row, Set<String>> seen = new TreeMap<>();
  private final Map<Row, String> examples = new LinkedHashMap<>();

  @Test
  void everyRowOfTheTableIsShownAndNoneEndsOtherwise() throws IOException {
    for (Waiting waiting : List.of(Waiting.KERNEL_BY_TWO, Waiting.VFIO_USER)) {
      for (long seed : seeds(waiting)) {
        for (Fate fate : Fate.values()) {
          killedAtEveryTouch(seed, waiting, fate);
          replacedAtEveryStep(seed, waiting, fate);
        }
      }
    }
    Map<Row, Set<String>> said = new TreeMap<>();
    table().forEach((row, outcome) -> said.put(row, Set.of(outcome)));
    seen.forEach(
        (row, outcomes) ->
            assertThat(outcomes)
                .as("%s: %s", row, examples.get(row))
                .isEqualTo(said.getOrDefault(row, Set.of("no row"))));
    assertThat(said.keySet()).isEqualTo(seen.keySet());
  }

  /** Nodes whose devices do what they should, and an operator that gives up late. */
  private static List<Long> seeds(Waiting waiting) {
    return LongStream.range(0, 1000)
        .filter(
            seed -> {
              World world = new World(seed, Set.of(), waiting);
              ModelDevice device = world.destination().device();
              return device.tellsState()
                  && world.source().device().tellsState()
                  && !world.operator().isHasty()
                  && (waiting != Waiting.VFIO_USER || !device.resetsAtLastClose())
                  && undisturbed(seed, waiting).outcome() == Outcome.COMMITTED;
            })
        .limit(SEEDS)
        .boxed()
        .toList();
  }

  private static World undisturbed(long seed, Waiting waiting) {
    World world = new World(seed, Set.of(), waiting);
    world.liveCalmly();
    return world;
  }

  private void killedAtEveryTouch(long seed, Waiting waiting, Fate fate) {
    int touches = undisturbed(seed, waiting).destination().touches();
    for (int touch = 0; touch < touches; touch++) {
      World world = new World(seed, Set.of(), waiting);
      world.destination().crashAt(touch);
      show(world, waiting, fate, "seed " + seed + ", killed at touch " + touch, () -> {});
    }
  }

  /** As an upgrade does: the agent is told to end, and another one comes. */
  private void replacedAtEveryStep(long seed, Waiting waiting, Fate fate) {
    boolean over = false;
    for (int step = 0; !over; step += 8) {
      World world = new World(seed, Set.of(), waiting);
      world.lives(step);
      over = state(world) == SessionState.DESTINATION_ACTIVE;
      show(
          world,
          waiting,
          fate,
          "seed " + seed + ", replaced at step " + step,
          () -> world.replaceAgent(STEPS_TO_END));
    }
  }

  private void show(World world, Waiting waiting, Fate fate, String example, Runnable end) {
    List<Step> steps = new ArrayList<>();
    List<Fate> befell = new ArrayList<>();
    Runnable befalls =
        () -> {
          befell.add(fate);
          fate.befalls(world.destination());
        };
    world.onceAgentFalls(() -> stepOf(world).ifPresent(steps::add));
    world.onceAgentIsDown(
        () -> {
          if (!steps.isEmpty() && fate.later) {
            world.destination().workload().onceReopened(befalls);
          } else if (!steps.isEmpty()) {
            befalls.run();
          }
        });
    end.run();
    world.liveCalmly();
    if (steps.isEmpty()) {
      return;
    }
    if (befell.isEmpty()) {
      // No agent has opened the device any more.
      befalls.run();
    }
    // What was asked for may come to its end all the same.
    world.lives(STEPS_BEHIND);
    Row row =
        new Row(
            steps.get(0).words, waiting == Waiting.VFIO_USER ? "vfio-user" : "kernel", fate.words);
    String outcome = outcome(world);
    if (seen.computeIfAbsent(row, any -> new TreeSet<>()).add(outcome)) {
      examples.merge(
          row, outcome + " (" + example + ")\n" + world.trace(), (one, next) -> one + "\n" + next);
    }
  }

  private static String outcome(World world) {
    if (world.operator().decision() == Handover.ROLLED_BACK) {
      return "rolls back";
    }
    return world.outcome() == Outcome.COMMITTED ? "goes on" : "asks";
  }

  private static SessionState state(World world) {
    SessionSnapshot session = world.destination().watched(world.operator().key());
    return session == null ? null : session.state();
  }

  /** By what is on the disk; empty where there is no session, or where it is rolled back. */
  private static Optional<Step> stepOf(World world) {
    Node node = world.destination();
    List<SessionRecord> records = node.journals().of(world.operator().key());
    SessionRecord last = records.isEmpty() ? null : records.get(records.size() - 1);
    if (last instanceof SessionRecord.Prepared) {
      return Optional.of(beforeLoaded(world));
    }
    if (last instanceof SessionRecord.Loaded) {
      boolean decided = world.operator().decision() == Handover.COMMITTED;
      return world.operator().decision() == Handover.ROLLED_BACK
          ? Optional.empty()
          : Optional.of(decided ? Step.DECIDED : Step.LOADED);
    }
    if (last instanceof SessionRecord.Activating) {
      return Optional.of(activating(node.workload()));
    }
    return last instanceof SessionRecord.Active ? Optional.of(Step.ACTIVE) : Optional.empty();
  }

  private static Step beforeLoaded(World world) {
    if (world.destination().device().state() == DeviceState.RESUME_COMPLETED) {
      return Step.TRANSFERRING;
    }
    return state(world) == SessionState.DESTINATION_RECEIVING ? Step.RECEIVING : Step.LISTENING;
  }

  private static Step activating(ModelWorkload workload) {
    if (workload instanceof ModelTransfer transfer) {
      return transfer.stage().filter(stage -> stage == Stage.TAKEN).isPresent()
          ? Step.TAKEN
          : transfer.stage().filter(stage -> stage == Stage.TOLD).isPresent()
              ? Step.TOLD
              : Step.ACTIVATING;
    }
    return workload.state() == ModelWorkload.State.RUNNING ? Step.TAKEN : Step.ACTIVATING;
  }

  // ------------------------------------------------------------------ the table

  /** Each cell of the first three columns names one thing, or several with "; " between them. */
  private static Map<Row, String> table() throws IOException {
    Map<Row, String> rows = new TreeMap<>();
    boolean inTable = false;
    for (String line : Files.readAllLines(root().resolve(TABLE))) {
      inTable = line.startsWith("| Step ") || inTable && line.startsWith("|");
      if (!inTable || line.startsWith("| Step ") || line.startsWith("|--")) {
        continue;
      }
      String[] cells = line.split("\\|");
      for (String step : of(cells[1])) {
        for (String device : of(cells[2])) {
          for (String workload : of(cells[3])) {
            String former = rows.put(new Row(step, device, workload), cells[4].strip());
            assertThat(former).as("said twice: " + line).isNull();
          }
        }
      }
    }
    assertThat(rows).as("rows of " + TABLE).isNotEmpty();
    return rows;
  }

  private static List<String> of(String cell) {
    return Arrays.stream(cell.split(";")).map(String::strip).toList();
  }

  private static Path root() {
    Path here = Path.of("").toAbsolutePath();
    while (!Files.exists(here.resolve(TABLE))) {
      here = here.getParent();
    }
    return here;
  }
}
