package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceFailures;
import dev.vfio.migration.vfio.device.DeviceLook;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DirtyPages;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MemoryRange;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.device.PendingBytes;
import dev.vfio.migration.vfio.device.TransitionRules;
import java.nio.ByteBuffer;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * A device that speaks the v2 interface. The states of the 2018 interface are mapped onto its own:
 *
 * <pre>
 * RUNNING        RUNNING, its log of dirty pages stopped
 * SETUP          RUNNING, its log started where it has one
 * PRECOPY        PRE_COPY
 * STOPNCOPY      STOP_COPY, by way of the P2P states where it has them
 * SAVE_COMPLETED STOP, its log stopped
 * RESUME         RESUMING
 * RESUME_COMPLETED STOP
 * FAILED, CANCELLED  wherever it is, its data file closed and its log stopped
 * </pre>
 *
 * <p>What follows from the interface:
 *
 * <ul>
 *   <li>The device's state is asked for before each change, because another holder of the device
 *       may have reset it. Where it is not where this object left it, nothing but the way back is
 *       taken.
 *   <li>ERROR is FAILED, and only {@link #reset()} leads out. So does it out of a device that took
 *       state in and was then given up: half of it must never run.
 *   <li>A device that was opened in PRE_COPY or STOP_COPY hands out nothing: its data file belonged
 *       to who brought it there. It can be led back, or be told that all was saved.
 * </ul>
 *
 * <p>Source: {@code VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE} in {@code linux/vfio.h} of Linux 6.12.
 */
public final class FeatureV2 implements MigratableDevice {
  private final FeatureAccess access;
  private final DeviceDescription description;
  private final FeatureWalk walk;
  private final DataFile file;
  private final StateSize size;
  private final DmaLog log;
  private final MigrationEnd end;
  private DeviceState state = DeviceState.NONE;

  /** A change failed since {@link #state} was true: the device may be elsewhere. */
  private boolean disturbed;

  /** It holds state, or part of it, that came from elsewhere and was not made to run. */
  private boolean loading;

  private FeatureV2(
      FeatureAccess access, DeviceDescription description, MigrationEnd end, boolean adopted) {
    this.access = access;
    this.description = description;
    this.end = end;
    this.file = new DataFile();
    this.walk = new FeatureWalk(access, description.driver().flags(), file);
    this.size = new StateSize(access);
    this.log = new DmaLog(access, description.pageSize(), description.dirtyPageTracking(), adopted);
  }

  /**
   * Describes a device without changing it. The access stays the caller's.
   *
   * @param id for the description and for messages
   * @param driver what stands behind the device; the description has its flags added
   * @param pageSize bytes of a host page
   * @throws DeviceException NOT_MIGRATABLE, PROTOCOL_VIOLATION or UNREACHABLE
   */
  public static DeviceLook look(String id, FeatureAccess access, DriverProfile driver, int pageSize)
      throws DeviceException {
    DeviceDescription description = FeatureDescription.of(id, access, driver, pageSize);
    FeatureV2 device = new FeatureV2(access, description, MigrationEnd.SOURCE, true);
    FeatureState found = device.whileOpening();
    boolean settledByTheEnd = found == FeatureState.STOP || found == FeatureState.RUNNING_P2P;
    return new DeviceLook(description, settledByTheEnd ? null : device.meaningOf(found, true));
  }

  /**
   * Opens a device without changing it. The access belongs to the device from here on, and is
   * closed at once where this fails.
   *
   * @param id for the description and for messages
   * @param driver what stands behind the device; the description has its flags added
   * @param pageSize bytes of a host page
   * @param end what STOP means: STOPNCOPY at the source, whose state is intact; RESUME_COMPLETED at
   *     an adopted destination; NONE at one that was opened fresh
   * @param adopted whether somebody else opened the device before and holds it still
   * @throws DeviceException NOT_MIGRATABLE, PROTOCOL_VIOLATION or UNREACHABLE
   */
  public static FeatureV2 open(
      String id,
      FeatureAccess access,
      DriverProfile driver,
      int pageSize,
      MigrationEnd end,
      boolean adopted)
      throws DeviceException {
    boolean opened = false;
    try {
      DeviceDescription description = FeatureDescription.of(id, access, driver, pageSize);
      FeatureV2 device = new FeatureV2(access, description, end, adopted);
      device.settle(adopted);
      opened = true;
      return device;
    } finally {
      if (!opened) {
        access.close();
      }
    }
  }

  private FeatureState whileOpening() throws DeviceException {
    try {
      return walk.position();
    } catch (AccessException failure) {
      throw DeviceFailures.whileOpening(description.id(), "its migration state", failure);
    } catch (FeatureWalk.UnknownStateException unknown) {
      throw new DeviceException(
          Kind.PROTOCOL_VIOLATION,
          0,
          "device "
              + description.id()
              + " says that it is in "
              + unknown.getMessage()
              + ". Nothing was done to the device; reset it.",
          unknown);
    }
  }

  private void settle(boolean adopted) throws DeviceException {
    state = meaningOf(whileOpening(), adopted);
    disturbed = false;
    loading = state == DeviceState.RESUME || state == DeviceState.RESUME_COMPLETED;
  }

  private DeviceState meaningOf(FeatureState found, boolean adopted) {
    return switch (found) {
      case ERROR -> DeviceState.FAILED;
      case RUNNING -> DeviceState.RUNNING;
      case PRE_COPY, PRE_COPY_P2P -> DeviceState.PRECOPY;
      case STOP_COPY -> DeviceState.STOPNCOPY;
      case RESUMING -> DeviceState.RESUME;
      case STOP ->
          switch (end) {
            case SOURCE -> DeviceState.STOPNCOPY;
            case DESTINATION -> adopted ? DeviceState.RESUME_COMPLETED : DeviceState.NONE;
          };
      // Between running and stopped: left there by a change that failed, or was cut off.
      case RUNNING_P2P ->
          switch (end) {
            case SOURCE -> DeviceState.SETUP;
            case DESTINATION -> adopted ? DeviceState.RESUME_COMPLETED : DeviceState.NONE;
          };
    };
  }

  @Override
  public DeviceDescription description() {
    return description;
  }

  @Override
  public DeviceState state() {
    return state;
  }

  @Override
  public void watchMemory(List<MemoryRange> ranges) {
    log.watch(ranges);
  }

  @Override
  public void transition(DeviceState target) throws DeviceException {
    if (target == state && !disturbed) {
      return;
    }
    if (target != state && !TransitionRules.allows(state, target)) {
      throw refused(
          "the interface does not allow a change from "
              + state
              + " to "
              + target
              + ", only to "
              + TransitionRules.allowedFrom(state)
              + ". The device was not asked and is as before.",
          null);
    }
    switch (target) {
      case SETUP -> setUp();
      case PRECOPY -> lead(target, FeatureState.PRE_COPY, EnumSet.of(FeatureState.RUNNING));
      case STOPNCOPY -> stop();
      case SAVE_COMPLETED -> {
        lead(target, FeatureState.STOP, EnumSet.of(FeatureState.STOP_COPY, FeatureState.STOP));
        stopLog(target);
      }
      case RESUME -> {
        lead(
            target,
            FeatureState.RESUMING,
            EnumSet.of(FeatureState.RUNNING, FeatureState.RUNNING_P2P, FeatureState.STOP));
        loading = true;
      }
      case RESUME_COMPLETED -> completeLoading();
      case RUNNING -> run();
      case FAILED, CANCELLED -> {
        file.close();
        stopLog(target);
        state = target;
      }
      case NONE -> throw new IllegalStateException("nothing leads to NONE");
    }
  }

  private void setUp() throws DeviceException {
    try {
      log.start();
      state = DeviceState.SETUP;
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(),
          "starting its log of dirty pages",
          Kind.TRANSITION_FAILED,
          failure,
          "The device runs on.");
    }
  }

  private void stopLog(DeviceState target) throws DeviceException {
    try {
      log.stop();
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(),
          "stopping its log of dirty pages for " + target,
          Kind.TRANSITION_FAILED,
          failure,
          "The state of the device was not touched.");
    }
  }

  private void stop() throws DeviceException {
    boolean goesOn = state == DeviceState.PRECOPY;
    if (goesOn && !file.isOpen()) {
      throw refused(
          "the data file of its PRE_COPY belonged to who brought it there, so what was read before"
              + " cannot be continued. The device was not asked and is as before; lead it out"
              + " through FAILED.",
          null);
    }
    lead(
        DeviceState.STOPNCOPY,
        FeatureState.STOP_COPY,
        goesOn
            ? EnumSet.of(FeatureState.PRE_COPY, FeatureState.PRE_COPY_P2P)
            : EnumSet.of(FeatureState.RUNNING, FeatureState.RUNNING_P2P));
  }

  private void completeLoading() throws DeviceException {
    if (file.isBroken()) {
      throw refused(
          "it refused a part of its state, so what it holds is incomplete even if its driver would"
              + " take it for whole. The device was not asked and is as before; lead it to FAILED"
              + " and reset it.",
          null);
    }
    lead(DeviceState.RESUME_COMPLETED, FeatureState.STOP, EnumSet.of(FeatureState.RESUMING));
  }

  private void run() throws DeviceException {
    if (loading && state != DeviceState.RESUME_COMPLETED) {
      throw refused(
          "it has taken in state from elsewhere, which was given up and must not run. The device"
              + " was not asked and is as before; reset it.",
          null);
    }
    lead(
        DeviceState.RUNNING,
        FeatureState.RUNNING,
        EnumSet.complementOf(EnumSet.of(FeatureState.RESUMING, FeatureState.ERROR)));
    loading = false;
  }

  /** Takes the device there, hop by hop, and says where it is when a hop fails. */
  private void lead(DeviceState target, FeatureState wanted, Set<FeatureState> from)
      throws DeviceException {
    FeatureState at = null;
    try {
      at = walk.position();
      requireLedBy(at, from, target);
      walk.to(at, wanted);
      state = target;
      disturbed = false;
    } catch (FeatureWalk.UnknownStateException unknown) {
      disturbed = true;
      throw refused(
          "it says that it is in "
              + unknown.getMessage()
              + ", so it cannot be led to "
              + target
              + ". Nothing was done to it; reset it.",
          unknown);
    } catch (FeatureWalk.NoWayException noWay) {
      throw refused(
          noWay.getMessage()
              + ", so it cannot be led to "
              + target
              + ". The device was not asked and is as before.",
          noWay);
    } catch (FeatureWalk.FileRuleException broken) {
      disturbed = true;
      throw new DeviceException(
          Kind.PROTOCOL_VIOLATION,
          0,
          subject()
              + ": on the way to "
              + target
              + " "
              + broken.getMessage()
              + ". It was not led any further; lead it out through FAILED.",
          broken);
    } catch (AccessException failure) {
      disturbed = true;
      throw DeviceFailures.duringAction(
          subject(),
          "the change to " + target,
          Kind.TRANSITION_FAILED,
          failure,
          at == null ? "It was not asked to change and is as before." : afterRefusal());
    }
  }

  /** Who holds the device beside us may have reset it, and nobody tells. */
  private void requireLedBy(FeatureState found, Set<FeatureState> from, DeviceState target)
      throws DeviceException {
    if (found == FeatureState.ERROR) {
      state = DeviceState.FAILED;
      throw refused(
          "it is in ERROR, so it cannot go to "
              + target
              + ". Nothing was done to it; only a reset leads out, which loses its state.",
          null);
    }
    if (!from.contains(found)) {
      disturbed = true;
      throw refused(
          "the device says that it is in "
              + found
              + ", where this agent did not leave it: it was reset, or led by somebody else. It was"
              + " not asked to change to "
              + target
              + "; lead it out through FAILED.",
          null);
    }
  }

  /** The text: a change that failed may leave the device anywhere on its way. */
  private String afterRefusal() {
    try {
      FeatureState now = walk.position();
      return switch (now) {
        case ERROR -> {
          state = DeviceState.FAILED;
          yield "The device is in ERROR now; only a reset leads out, which loses its state.";
        }
        case RESUMING ->
            "The device is in RESUMING now; what it took in is given up by a reset alone.";
        case STOP, RUNNING, STOP_COPY, RUNNING_P2P, PRE_COPY, PRE_COPY_P2P ->
            "The device says that it is in " + now + " now; lead it out through FAILED.";
      };
    } catch (AccessException | FeatureWalk.UnknownStateException unreadable) {
      return "What state it is in now is not known ("
          + unreadable.getMessage()
          + "); lead it out through FAILED, or reset it.";
    }
  }

  @Override
  public PendingBytes pending(long thresholdBytes) throws DeviceException {
    if (thresholdBytes < 0) {
      throw new IllegalArgumentException("a threshold of " + thresholdBytes + " bytes");
    }
    try {
      return switch (state) {
        case RUNNING, SETUP -> size.beforeReading();
        case PRECOPY -> size.whileRunning(file.precopyInfo());
        case STOPNCOPY -> file.ended() ? PendingBytes.NOTHING : size.beforeTheEnd();
        case NONE, SAVE_COMPLETED, RESUME, RESUME_COMPLETED, FAILED, CANCELLED ->
            PendingBytes.NOTHING;
      };
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(),
          "asking for pending bytes",
          Kind.READ_FAILED,
          failure,
          "The state of the device was not touched; lead it back through FAILED.");
    }
  }

  @Override
  public int readState(ByteBuffer chunk) throws DeviceException {
    try {
      return file.read(chunk, state == DeviceState.STOPNCOPY);
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(),
          "reading state",
          Kind.READ_FAILED,
          failure,
          "The stream of its state cannot be continued, so this attempt cannot be completed: lead"
              + " the device back through FAILED.");
    }
  }

  @Override
  public void writeState(ByteBuffer chunk) throws DeviceException {
    try {
      file.write(chunk);
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(),
          "writing state",
          Kind.WRITE_FAILED,
          failure,
          "The state on this device is incomplete and must not run: lead it to FAILED and reset"
              + " it.");
    }
  }

  /** The data file is a stream; this is how much of it is read at once. */
  @Override
  public long maxChunkBytes() {
    return DataFile.MOST_BYTES_AT_ONCE;
  }

  @Override
  public long dirtyPages(long iova, long pages, DirtyPages into) throws DeviceException {
    return log.report(subject(), iova, pages, into);
  }

  @Override
  public void reset() throws DeviceException {
    file.close();
    try {
      access.reset();
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(),
          "the reset",
          Kind.TRANSITION_FAILED,
          failure,
          "The device is as before; it is reset when the last who holds it closes it.");
    }
    log.lost();
    settle(false);
  }

  /**
   * {@inheritDoc}
   *
   * <p>May come from any thread.
   */
  @Override
  public void close() {
    file.closeForGood();
    access.close();
  }

  private DeviceException refused(String what, Exception cause) {
    return new DeviceException(Kind.TRANSITION_FAILED, 0, subject() + ": " + what, cause);
  }

  private String subject() {
    return "device " + description.id() + " (state " + state + ")";
  }
}
