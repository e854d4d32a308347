package dev.vfio.migration.agent.control;

import dev.vfio.migration.agent.machine.DestinationSpec;
import dev.vfio.migration.agent.machine.Mode;
import dev.vfio.migration.agent.machine.Progress;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SourceSpec;
import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.agent.session.Refusal;
import dev.vfio.migration.contract.v1.CommandHeader;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.DmaWindow;
import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.PendingBytes;
import dev.vfio.migration.contract.v1.PrepareDestinationRequest;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.contract.v1.StartSourceRequest;
import dev.vfio.migration.contract.v1.WorkloadState;
import dev.vfio.migration.text.ForeignText;
import dev.vfio.migration.vfio.workload.DeclaredWindows;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Pattern;

/** Between the contract's messages and our own values. What makes no sense is refused here. */
public final class ContractMapping {
  static final int TOKEN_BYTES = 32;

  private static final int MAX_TEXT = 512;
  private static final Pattern NAME =
      Pattern.compile("[a-z0-9]([-.a-z0-9]*[a-z0-9])?/[a-z0-9]([-.a-z0-9]*[a-z0-9])?");
  private static final int HIGHEST_PORT = 65535;

  private ContractMapping() {}

  // ------------------------------------------------------------------ requests

  static SessionKey key(CommandHeader header) throws Refusal {
    if (header.getFencingNumber() == 0) {
      // Leaders count from 1: none was set, and that is not the number of any of them.
      throw invalid("the command's header carries no fencing number");
    }
    try {
      return new SessionKey(header.getMigrationUid(), header.getAttempt());
    } catch (IllegalArgumentException problem) {
      throw invalid("the command's header: " + problem.getMessage());
    }
  }

  static SourceSpec source(StartSourceRequest request, int maximumStreams) throws Refusal {
    if (request.getDestinationPort() < 1 || request.getDestinationPort() > HIGHEST_PORT) {
      throw invalid("destination_port is " + unsigned(request.getDestinationPort()));
    }
    if (request.getToken().size() != TOKEN_BYTES) {
      throw invalid(
          "the token has " + request.getToken().size() + " bytes instead of " + TOKEN_BYTES);
    }
    if (request.getBandwidthLimit() < 0 || request.getThresholdBytes() < 0) {
      throw invalid("bandwidth_limit and threshold_bytes are at most 2^63 - 1");
    }
    return new SourceSpec(
        key(request.getHeader()),
        name(request.getHeader()),
        text("device", request.getDevice()),
        text("destination_node", request.getDestinationNode()),
        text("destination_host", request.getDestinationHost()),
        request.getDestinationPort(),
        mode(request),
        streams(request.getStreams(), maximumStreams),
        request.getBandwidthLimit(),
        request.getThresholdBytes(),
        windows(request.getWindowsList()));
  }

  private static Mode mode(StartSourceRequest request) throws Refusal {
    return switch (request.getMode()) {
      case LIVE -> Mode.LIVE;
      case COLD -> Mode.COLD;
      case MODE_UNSPECIFIED, UNRECOGNIZED -> throw invalid("mode is neither LIVE nor COLD");
    };
  }

  static DestinationSpec destination(PrepareDestinationRequest request, int maximumStreams)
      throws Refusal {
    if (!request.hasSourceDevice()) {
      throw invalid("source_device is missing");
    }
    Device device = request.getSourceDevice();
    return new DestinationSpec(
        key(request.getHeader()),
        name(request.getHeader()),
        text("device", request.getDevice()),
        text("source_node", request.getSourceNode()),
        DeviceMapping.description(device),
        windows(device.getDmaWindowsList()),
        streams(request.getStreams(), maximumStreams));
  }

  /** In the order in which both ends number them. */
  private static List<WindowSpec> windows(List<DmaWindow> windows) throws Refusal {
    if (windows.size() > DeclaredWindows.MAX_WINDOWS
        || !windows.stream().map(DmaWindow::getName).allMatch(DeclaredWindows::isName)) {
      throw invalid(
          "there are more than "
              + DeclaredWindows.MAX_WINDOWS
              + " windows, or the name of a window is none");
    }
    return windows.stream()
        .map(window -> new WindowSpec(window.getName(), window.getIova(), window.getSize()))
        .sorted(Comparator.comparingLong(WindowSpec::iova).thenComparing(WindowSpec::name))
        .toList();
  }

  static DmaWindow window(WindowSpec window) {
    return DmaWindow.newBuilder()
        .setName(window.name())
        .setIova(window.iova())
        .setSize(window.size())
        .build();
  }

  private static int streams(int streams, int maximum) throws Refusal {
    if (streams < 1 || streams > maximum) {
      throw invalid("streams is " + unsigned(streams) + "; 1 to " + maximum + " are possible");
    }
    return streams;
  }

  private static String text(String field, String value) throws Refusal {
    if (value.isBlank() || value.length() > MAX_TEXT || !ForeignText.isPlain(value)) {
      throw invalid(field + " is empty, too long or not printable");
    }
    return value;
  }

  /** For logs only: what is no name of a Kubernetes object does not get there. */
  static String name(CommandHeader header) {
    String name = header.getMigrationName();
    return name.length() <= MAX_TEXT && NAME.matcher(name).matches()
        ? name
        : ForeignText.line(header.getMigrationUid(), MAX_TEXT);
  }

  private static String unsigned(int value) {
    return Integer.toUnsignedString(value);
  }

  private static Refusal invalid(String message) {
    return new Refusal(Reason.INVALID_REQUEST, message + "; nothing was done. Mend the request.");
  }

  // ------------------------------------------------------------------ answers

  /** What is told of a session; {@code instanceId} names one life of the agent. */
  public static Session session(SessionFeed.Report report, String instanceId) {
    SessionSnapshot session = report.session();
    Session.Builder message =
        Session.newBuilder()
            .setMigrationUid(session.key().uid())
            .setAttempt(session.key().attempt())
            .setMigrationName(session.migrationName())
            .setRole(Role.valueOf(session.state().role().name()))
            .setState(SessionState.valueOf(session.state().name()))
            .setDevice(session.device())
            .setDeviceState(deviceState(session.deviceState()))
            .setProgress(progress(session.progress()))
            .setRevision(report.revision())
            .setPausedNanos(report.pausedNanos())
            .setInstanceId(instanceId)
            .setRecovered(session.recovered())
            .setResetFailed(session.resetFailed());
    if (session.failure() != null) {
      message.setFailure(failure(session.failure()));
    }
    return message.build();
  }

  private static dev.vfio.migration.contract.v1.Progress progress(Progress progress) {
    return dev.vfio.migration.contract.v1.Progress.newBuilder()
        .setPending(
            PendingBytes.newBuilder()
                .setPrecopyOnly(progress.pending().precopyOnly())
                .setCompatible(progress.pending().compatible())
                .setPostcopyOnly(progress.pending().postcopyOnly()))
        .setMemoryPending(progress.memoryPending())
        .setTransferredBytes(progress.transferredBytes())
        .setDeviceStateBytes(progress.deviceStateBytes())
        .setMemoryBytes(progress.memoryBytes())
        .setDirtyPages(progress.dirtyPages())
        .setRounds(progress.rounds())
        .setBytesPerSecond(progress.bytesPerSecond())
        .setDirtyBytesPerSecond(progress.dirtyBytesPerSecond())
        .setDowntimeNanos(progress.downtimeNanos())
        .setPrecopyExhausted(progress.precopyExhausted())
        .build();
  }

  /** UNSPECIFIED for null. */
  public static DeviceState deviceState(dev.vfio.migration.vfio.device.DeviceState state) {
    return state == null ? DeviceState.DEVICE_STATE_UNSPECIFIED : DeviceState.valueOf(state.name());
  }

  static WorkloadState workloadState(dev.vfio.migration.vfio.workload.WorkloadState state) {
    return WorkloadState.valueOf("WORKLOAD_" + state.name());
  }

  static MigrationInterface migrationInterface(
      dev.vfio.migration.vfio.device.MigrationInterface known) {
    return MigrationInterface.valueOf(known.name());
  }

  static Failure failure(dev.vfio.migration.agent.machine.Failure failure) {
    return Failure.newBuilder()
        .setReason(reason(failure.reason()))
        .setMessage(failure.message())
        .setErrno(failure.errno())
        .build();
  }

  static dev.vfio.migration.contract.v1.Reason reason(Reason reason) {
    return dev.vfio.migration.contract.v1.Reason.valueOf(reason.name());
  }
}
