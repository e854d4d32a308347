package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.agent.journal.FencingStore;
import dev.vfio.migration.agent.machine.DestinationState;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SourceState;
import dev.vfio.migration.agent.machine.Timings;
import dev.vfio.migration.agent.session.Fencing;
import dev.vfio.migration.agent.session.SessionEnvironment;
import dev.vfio.migration.agent.session.SessionWatcher;
import dev.vfio.migration.agent.session.Sessions;
import dev.vfio.migration.agent.session.WindowMemory;
import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.workload.DmaWindow;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;

/** One node: a device and a workload that stay, a disk that stays, and an agent that may end. */
final class Node {
  private static final int CRASH_ONE_IN = 300;
  private static final int NEVER = -1;

  private final String name;
  private final World world;
  private final Chance chance;
  private final ModelDevice device;
  private final ModelWorkload workload;
  private final ModelJournals journals;
  private final ModelStreams streams;
  private final Map<SessionKey, SessionSnapshot> watched = new LinkedHashMap<>();
  private final List<Loop.Lane> lanes = new ArrayList<>();
  private long fencingNumber;
  private Sessions sessions;
  private int life;
  private long maxWindowBytes = 1L << 30;
  private Continuity continuity = Continuity.UNKNOWN;
  private int touches;
  private int crashAtTouch = NEVER;
  private UnaryOperator<byte[]> damageAtCrash = UnaryOperator.identity();

  Node(
      String name,
      World world,
      Chance chance,
      DeviceState deviceState,
      ModelWorkload.State workloadState,
      Waiting waiting) {
    this.name = name;
    this.world = world;
    this.chance = chance;
    this.device =
        new ModelDevice(
            this,
            chance,
            deviceState,
            !chance.oneIn(6),
            !chance.oneIn(4),
            chance.oneIn(2),
            chance.oneIn(4)
                ? ModelDevice.Resetting.IS_NOT_OFFERED
                : chance.oneIn(4)
                    ? ModelDevice.Resetting.KEEPS_THE_STATE
                    : ModelDevice.Resetting.WORKS);
    this.workload =
        workloadState == ModelWorkload.State.WAITING
            ? waiting.workload(this, chance)
            : new ModelWorkload(this, chance, workloadState);
    this.journals = new ModelJournals(this, chance);
    this.streams = new ModelStreams(this, chance);
  }

  @Override
  public String toString() {
    return name;
  }

  World world() {
    return world;
  }

  ModelDevice device() {
    return device;
  }

  ModelWorkload workload() {
    return workload;
  }

  ModelJournals journals() {
    return journals;
  }

  ModelStreams streams() {
    return streams;
  }

  Sessions sessions() {
    return sessions;
  }

  boolean isUp() {
    return sessions != null;
  }

  /** The highest number of a leader that is on this node's disk. */
  long fencingNumber() {
    return fencingNumber;
  }

  /** Counts the starts of the agent. */
  int life() {
    return life;
  }

  /** What the agent last reported on that session, null where it reported nothing. */
  SessionSnapshot watched(SessionKey key) {
    return watched.get(key);
  }

  void start() {
    life++;
    workload.agentStarts();
    try {
      sessions =
          new Sessions(
              environment(),
              journals,
              new Fencing(new Numbers()),
              new Sessions.Limits(4, 10, Duration.ofDays(1)),
              new Watching());
      sessions.recover();
    } catch (IOException problem) {
      throw new AssertionError(problem);
    }
  }

  /** SIGSTOP of the agent: device, workload, network and everybody else go on. */
  void stop(long nanos) {
    lanes.forEach(lane -> lane.stop(nanos));
  }

  /** The agent ends here and now: what it held in memory is gone. */
  void crash() {
    life++;
    sessions = null;
    watched.clear();
    lanes.forEach(Loop.Lane::end);
    lanes.clear();
    journals.damage(damageAtCrash);
    damageAtCrash = UnaryOperator.identity();
    workload.agentEnds();
    device.clientGone();
    streams.agentGone();
  }

  /** The agent is started anew, and moves no more than that with one device. */
  void allowsWindowsOf(long mostBytes) {
    crash();
    maxWindowBytes = mostBytes;
    start();
  }

  /** Lets the agent end at exactly that touch of the world, counted from 0. */
  void crashAt(int touch) {
    crashAtTouch = touch;
  }

  /** What the disk does to each journal when the agent ends next. */
  void damageAtCrash(UnaryOperator<byte[]> damage) {
    damageAtCrash = damage;
  }

  /** How often the agents of this node touched the world. */
  int touches() {
    return touches;
  }

  /** Every touch of the world may be the last. */
  void mayCrash() {
    if (touches++ == crashAtTouch || chance.fault(CRASH_ONE_IN)) {
      throw new Crash(this);
    }
  }

  private SessionEnvironment environment() {
    DeviceDirectory directory =
        new DeviceDirectory() {
          @Override
          public List<String> ids() {
            return List.of();
          }

          @Override
          public Optional<Entry> look(String id, boolean named) {
            return Optional.empty();
          }

          @Override
          public MigratableDevice open(String id) throws DeviceException {
            mayCrash();
            continuity = workload.continuity(device.isHeldByWorkload());
            MigratableDevice opened = device.open();
            workload.deviceOpened();
            return opened;
          }

          @Override
          public Continuity continuity(String id) {
            return continuity;
          }
        };
    Timings timings =
        new Timings(
            1L << 20,
            Duration.ofMillis(1),
            Duration.ofMillis(8),
            Duration.ofMillis(1),
            20,
            Duration.ofSeconds(1),
            Duration.ofMillis(2),
            4,
            Duration.ofMillis(5));
    return new SessionEnvironment(
        directory,
        id -> workload.reach(),
        new Memory(),
        streams,
        world.loop(),
        threadName -> new LoopThread(lane("session"), lane("beside")),
        timings,
        maxWindowBytes);
  }

  private Loop.Lane lane(String what) {
    Loop.Lane lane = world.loop().lane(what + " of " + name);
    lanes.add(lane);
    return lane;
  }

  private final class Memory implements WindowMemory {
    @Override
    public Mapped map(List<DmaWindow> windows, boolean writable) {
      return new Mapped() {
        @Override
        public void read(int window, long offset, ByteBuffer into) {
          into.put(device.memory(), (int) offset, into.remaining());
        }

        @Override
        public void write(int window, long offset, ByteBuffer content) {
          content.get(device.memory(), (int) offset, content.remaining());
        }

        @Override
        public void close() {
          // Nothing is mapped.
        }
      };
    }
  }

  private final class Numbers implements FencingStore {
    @Override
    public long read() {
      return fencingNumber;
    }

    @Override
    public void write(long number) {
      mayCrash();
      fencingNumber = number;
    }
  }

  private final class Watching implements SessionWatcher {
    @Override
    public void changed(SessionSnapshot before, SessionSnapshot now) {
      watched.put(now.key(), now);
      world.sessionMoved(Node.this, before, now);
    }

    @Override
    public void takes(Object state, Object event) {
      if (state instanceof SourceState of) {
        Coverage.SOURCE.met(of.step().toString(), state, event);
      } else if (state instanceof DestinationState of) {
        Coverage.DESTINATION.met(of.step().toString(), state, event);
      }
    }

    @Override
    public void removed(SessionKey key) {
      watched.remove(key);
    }

    @Override
    public void fault(SessionKey key, String doing, RuntimeException fault) {
      throw new AssertionError("a fault in the agent of " + name + " at " + doing, fault);
    }
  }
}
