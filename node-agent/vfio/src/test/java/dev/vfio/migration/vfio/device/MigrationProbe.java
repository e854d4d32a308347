package dev.vfio.migration.vfio.device;

import dev.vfio.migration.vfio.feature.FeatureV2;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.inventory.SysfsDevices;
import dev.vfio.migration.vfio.kernel.KernelAccess;
import dev.vfio.migration.vfio.kernel.NodeChoice;
import dev.vfio.migration.vfio.region.Region2018;
import dev.vfio.migration.vfio.region.RegionV1;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/**
 * Proves the three interfaces against real devices of a real kernel: a program for a machine that
 * may be wrecked, such as a guest of the lab. Ends with {@code PROBE-PASSED} or throws.
 *
 * <p>Arguments: {@code GROUP} or {@code CDEV}; then, as often as wanted, {@code mtty}, {@code v1}
 * or {@code 2018}, and the UUIDs of two mediated devices of that kind that nobody uses.
 */
public final class MigrationProbe {
  private static final Path VFIO = Path.of("/dev/vfio");
  private static final int PAGE = 4096;

  /** What distinguishes the state of a device from that of another, and how it is changed. */
  private enum Kind {
    MTTY {
      @Override
      MigratableDevice open(NodeDevice node, KernelAccess access, MigrationEnd end)
          throws DeviceException {
        return FeatureV2.open(node.id(), access, profile(node), PAGE, end, false);
      }

      @Override
      void work(KernelAccess access) throws Exception {
        access.writeRegion(0, 7, room(1).put(0, (byte) 0x5a));
      }

      @Override
      long fingerprint(KernelAccess access) throws Exception {
        ByteBuffer scratch = room(1);
        access.readRegion(0, 7, scratch);
        return scratch.get(0);
      }
    },
    V1 {
      @Override
      MigratableDevice open(NodeDevice node, KernelAccess access, MigrationEnd end)
          throws DeviceException {
        return RegionV1.open(node.id(), access, profile(node), PAGE, end, false);
      }
    },
    OF_2018 {
      @Override
      MigratableDevice open(NodeDevice node, KernelAccess access, MigrationEnd end)
          throws DeviceException {
        return Region2018.open(node.id(), access, profile(node), PAGE);
      }
    };

    abstract MigratableDevice open(NodeDevice node, KernelAccess access, MigrationEnd end)
        throws DeviceException;

    /** The lab's own device takes a step. */
    void work(KernelAccess access) throws Exception {
      access.writeRegion(0, 0x0c, room(4).putInt(0, 1));
    }

    /** The checksum of its state. */
    long fingerprint(KernelAccess access) throws Exception {
      ByteBuffer sum = room(8);
      access.readRegion(0, 0x18, sum);
      return sum.getLong(0);
    }
  }

  private final SysfsDevices devices = new SysfsDevices(Path.of("/sys"), VFIO);
  private final NodeChoice choice;
  private final Kind kind;

  private MigrationProbe(NodeChoice choice, Kind kind) {
    this.choice = choice;
    this.kind = kind;
  }

  /** See above. */
  public static void main(String[] arguments) throws Exception {
    NodeChoice choice = NodeChoice.valueOf(arguments[0]);
    for (int at = 1; at < arguments.length; at += 3) {
      Kind kind =
          switch (arguments[at]) {
            case "mtty" -> Kind.MTTY;
            case "v1" -> Kind.V1;
            case "2018" -> Kind.OF_2018;
            default -> throw new IllegalArgumentException("no kind of device: " + arguments[at]);
          };
      say(kind + ": " + arguments[at + 1] + " to " + arguments[at + 2]);
      new MigrationProbe(choice, kind).prove(arguments[at + 1], arguments[at + 2]);
    }
    say("PROBE-PASSED");
  }

  private static void say(String what) {
    System.out.println(what);
  }

  private static void require(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
    say("  ok " + what);
  }

  private static ByteBuffer room(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  private static DriverProfile profile(NodeDevice node) {
    return new DriverProfile(node.driver(), node.mdevType(), Set.of(), node.streamVersion());
  }

  private NodeDevice node(String id) {
    return devices.find(id).orElseThrow();
  }

  private void prove(String sourceId, String destinationId) throws Exception {
    NodeDevice sourceNode = node(sourceId);
    NodeDevice destinationNode = node(destinationId);
    KernelAccess sourceAccess = KernelAccess.open(sourceNode, VFIO, choice);
    KernelAccess destinationAccess = KernelAccess.open(destinationNode, VFIO, choice);
    try (MigratableDevice source = kind.open(sourceNode, sourceAccess, MigrationEnd.SOURCE);
        MigratableDevice destination =
            kind.open(destinationNode, destinationAccess, MigrationEnd.DESTINATION)) {
      say("  " + source.description() + ", in " + source.state());
      if (source.state() != DeviceState.RUNNING) {
        if (source.state() == DeviceState.NONE) {
          source.transition(DeviceState.RUNNING);
        } else {
          source.reset();
        }
      }
      if (destination.state().leftOver()) {
        destination.reset();
      }
      kind.work(sourceAccess);
      long before = kind.fingerprint(sourceAccess);
      rollBack(source, sourceAccess);
      refuseHalf(source, destination);
      ByteArrayOutputStream stream = move(source, destination);
      require(
          kind.fingerprint(destinationAccess) == before,
          stream.size() + " bytes moved, and the destination goes on where the source stood");
      kind.work(destinationAccess);
      require(destination.state() == DeviceState.RUNNING, "it runs");
    }
  }

  private void rollBack(MigratableDevice source, KernelAccess access) throws Exception {
    long before = kind.fingerprint(access);
    for (boolean stop : List.of(false, true)) {
      source.transition(DeviceState.SETUP);
      if (source.description().precopy()) {
        source.transition(DeviceState.PRECOPY);
        read(source, new ByteArrayOutputStream(), null);
      }
      if (stop) {
        source.transition(DeviceState.STOPNCOPY);
        read(source, new ByteArrayOutputStream(), null);
      }
      source.transition(stop ? DeviceState.FAILED : DeviceState.CANCELLED);
      source.transition(DeviceState.RUNNING);
      require(
          kind.fingerprint(access) == before,
          "rolled back from " + (stop ? "STOPNCOPY" : "PRECOPY"));
    }
  }

  /** Half of a state is refused, and only a reset makes the device usable again. */
  private static void refuseHalf(MigratableDevice source, MigratableDevice destination)
      throws Exception {
    source.transition(DeviceState.SETUP);
    source.transition(DeviceState.STOPNCOPY);
    destination.transition(DeviceState.RESUME);
    ByteBuffer chunk = room((int) source.maxChunkBytes());
    int read = source.readState(chunk);
    destination.writeState(chunk.flip().limit(read / 2));
    try {
      destination.transition(DeviceState.RESUME_COMPLETED);
      throw new AssertionError("half of a state was taken for whole");
    } catch (DeviceException refused) {
      say("  ok half is refused: " + refused.getMessage());
    }
    source.transition(DeviceState.FAILED);
    source.transition(DeviceState.RUNNING);
    destination.transition(DeviceState.FAILED);
    destination.reset();
    require(
        destination.state() == DeviceState.RUNNING || destination.state() == DeviceState.NONE,
        "a reset leads out, to " + destination.state());
  }

  private static ByteArrayOutputStream move(MigratableDevice source, MigratableDevice destination)
      throws Exception {
    ByteArrayOutputStream stream = new ByteArrayOutputStream();
    destination.transition(DeviceState.RESUME);
    source.watchMemory(List.of(new MemoryRange(0, 16L * PAGE)));
    source.transition(DeviceState.SETUP);
    if (source.description().precopy()) {
      source.transition(DeviceState.PRECOPY);
      say("  pending while it runs: " + source.pending(0));
      read(source, stream, destination);
      say("  pending after a round: " + source.pending(0));
      dirtyPages(source);
    }
    source.transition(DeviceState.STOPNCOPY);
    say("  pending once it stands: " + source.pending(0));
    int tries = 0;
    do {
      read(source, stream, destination);
      if (++tries > 100) {
        throw new AssertionError("it never becomes dry: " + source.pending(0));
      }
    } while (source.pending(0).total() > 0);
    destination.transition(DeviceState.RESUME_COMPLETED);
    source.transition(DeviceState.SAVE_COMPLETED);
    destination.transition(DeviceState.RUNNING);
    return stream;
  }

  private static void dirtyPages(MigratableDevice source) {
    try {
      say("  dirty pages: " + source.dirtyPages(0, 16, (iova, pages) -> {}));
    } catch (DeviceException refused) {
      say("  dirty pages refused: " + refused.getMessage());
    }
  }

  private static void read(
      MigratableDevice source, ByteArrayOutputStream into, MigratableDevice destination)
      throws Exception {
    ByteBuffer chunk = room((int) source.maxChunkBytes());
    // One that runs may always have something more.
    for (int chunks = 0; chunks < 64 && source.readState(chunk.clear()) > 0; chunks++) {
      chunk.flip();
      byte[] bytes = new byte[chunk.remaining()];
      chunk.get(0, bytes);
      into.writeBytes(bytes);
      if (destination != null) {
        destination.writeState(chunk);
      }
    }
  }
}
