package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DriverProfile;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.WorkloadState;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.api.Phase;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Pending and Validating: nothing is touched before everything that can be checked was checked. */
final class Admission {
  private static final Duration PATIENCE = Duration.ofMillis(500);

  private final Observation seen;
  private final StatusDraft draft;

  Admission(Observation seen) {
    this.seen = seen;
    this.draft = new StatusDraft(seen);
  }

  Decision pending() {
    draft.enter(Phase.PENDING);
    if (withdrawn().isPresent()) {
      return cancelled();
    }
    if (!seen.adminNamespaces().allow(seen.namespace())) {
      return namespaceNotAllowed();
    }
    if (seen.predecessor().isPresent()) {
      Predecessor first = seen.predecessor().get();
      draft.condition(
          ConditionType.VALIDATED,
          Status.UNKNOWN,
          ConditionReason.WAITING_FOR_DEVICE,
          "Waits for " + first.qualifiedName() + ", which uses " + first.device() + ".");
      draft.condition(
          ConditionType.SUCCEEDED,
          Status.UNKNOWN,
          ConditionReason.WAITING_FOR_DEVICE,
          "Not begun. Validated says for whom it waits.");
      return decision(List.of(), Optional.of(Decisions.SOON.multipliedBy(5)));
    }
    draft
        .enter(Phase.VALIDATING)
        .condition(
            ConditionType.VALIDATED,
            Status.UNKNOWN,
            ConditionReason.VALIDATING,
            "Asking both agents about both devices.")
        .condition(
            ConditionType.DESTINATION_READY,
            Status.UNKNOWN,
            ConditionReason.NOT_STARTED,
            "Not prepared yet.")
        .condition(
            ConditionType.SOURCE_READY,
            Status.UNKNOWN,
            ConditionReason.NOT_STARTED,
            "Not started yet.")
        .condition(
            ConditionType.CONVERGED,
            Status.UNKNOWN,
            ConditionReason.NOT_STARTED,
            "Copying has not begun.")
        .condition(
            ConditionType.HANDED_OVER,
            Status.FALSE,
            ConditionReason.UNDECIDED,
            "Everything can still go back to the source.")
        .condition(
            ConditionType.SUCCEEDED,
            Status.UNKNOWN,
            ConditionReason.IN_PROGRESS,
            "The migration goes on.");
    return decision(List.of(), Optional.of(Duration.ZERO));
  }

  Decision validating() {
    if (withdrawn().isPresent()) {
      return cancelled();
    }
    // Again: whoever led before may have had another list.
    if (!seen.adminNamespaces().allow(seen.namespace())) {
      return namespaceNotAllowed();
    }
    List<Side> sides = List.of(seen.source(), seen.destination());
    for (Side side : sides) {
      if (side.agent() instanceof Side.Absent) {
        return refused(
            ConditionReason.UNKNOWN_NODE,
            "No node agent runs on node "
                + side.location().nodeName()
                + " ("
                + side.name()
                + "). Nothing was touched."
                + " Check the node's name and that the agents' DaemonSet covers it.");
      }
    }
    Optional<Decision> waiting =
        sides.stream().filter(side -> !side.reachable()).findFirst().map(this::awaitAgent);
    if (waiting.isPresent()) {
      return waiting.get();
    }
    if (seen.destination().agent() instanceof Side.Reachable agent && !agent.verifiesLoaded()) {
      return refused(
          ConditionReason.AGENT_TOO_OLD,
          "The agent on "
              + seen.destination().location().nodeName()
              + " (destination, version "
              + agent.version()
              + ") cannot be asked whether what it loaded is still there, and without that nothing"
              + " is committed. Nothing was touched. Bring it to the operator's version.");
    }
    for (Side side : sides) {
      Optional<Side.Refusal> refusal = side.refusal();
      if (refusal.isPresent()) {
        return awaitAnswer(side, refusal.get().message());
      }
    }
    if (sides.stream().anyMatch(side -> side.inspection().isEmpty())) {
      return decision(
          Stream.of(seen.source(), seen.destination())
              .filter(side -> side.inspection().isEmpty())
              .map(side -> (Command) new Command.Inspect(side.role()))
              .toList(),
          Optional.of(Decisions.SOON));
    }
    return admit();
  }

  private Decision admit() {
    Optional<Objection> objection =
        deviceObjection(seen.source())
            .or(() -> deviceObjection(seen.destination()))
            .or(this::mismatch);
    if (objection.isPresent()) {
      return refused(objection.get().reason(), objection.get().message());
    }
    draft
        .deviceStates(device(seen.source()).getState(), device(seen.destination()).getState())
        .migrationInterface(device(seen.source()).getInterface())
        .enter(Phase.PREPARING)
        // Recorded before the command is given: from here on it may have been touched.
        .touch(Role.DESTINATION)
        .condition(
            ConditionType.VALIDATED,
            Status.TRUE,
            ConditionReason.VALID,
            "Both devices exist, are free and fit each other ("
                + device(seen.source()).getModel()
                + ").")
        .condition(
            ConditionType.DESTINATION_READY,
            Status.FALSE,
            ConditionReason.STARTING,
            "The destination is being prepared.");
    return decision(List.of(), Optional.of(Duration.ZERO));
  }

  private record Objection(ConditionReason reason, String message) {}

  private static Device device(Side side) {
    return side.inspection().flatMap(Side.Inspection::device).orElseThrow();
  }

  private static Optional<Objection> deviceObjection(Side side) {
    String where = "node " + side.location().nodeName() + " (" + side.name() + ")";
    Optional<Device> found = side.inspection().flatMap(Side.Inspection::device);
    if (found.isEmpty()) {
      return objection(
          ConditionReason.UNKNOWN_DEVICE,
          "The agent on "
              + where
              + " has no device "
              + side.location().device()
              + ". Nothing was touched. Check the device's id.");
    }
    Device device = found.get();
    if (device.hasNotMigratable()) {
      return objection(
          AgentReasons.conditionReason(device.getNotMigratable().getReason()),
          "Device "
              + device.getId()
              + " on "
              + where
              + " cannot migrate: "
              + sentence(device.getNotMigratable().getMessage())
              + " Nothing was touched.");
    }
    if (device.getClaimedBy().isEmpty() && DeviceStates.leftOver(device.getState())) {
      // Said by an agent that does not look for this itself.
      return objection(
          ConditionReason.DEVICE_NOT_RESET,
          "Device "
              + device.getId()
              + " on "
              + where
              + " is in "
              + device.getState()
              + " though no migration has it. Nothing was touched. Where it is certain that nobody"
              + " needs what is in it, reset it first; its node's VfioNode says more.");
    }
    if (!device.getClaimedBy().isEmpty()) {
      return objection(
          ConditionReason.DEVICE_BUSY,
          "Device "
              + device.getId()
              + " on "
              + where
              + " is in use by migration "
              + device.getClaimedBy()
              + ". Nothing was touched. Try again when that one has ended.");
    }
    if (device.getInterface() == MigrationInterface.MIGRATION_INTERFACE_UNSPECIFIED
        || device.getInterface() == MigrationInterface.UNRECOGNIZED) {
      // Nothing said against it is not the same as something said for it.
      return objection(
          ConditionReason.NO_MIGRATION_REGION,
          "The agent on "
              + where
              + " does not say by which interface device "
              + device.getId()
              + " migrates, or names one that this operator does not know ("
              + device.getInterfaceValue()
              + "). Nothing was touched. Bring operator and agents to one version.");
    }
    return workloadObjection(side, device, where);
  }

  /** What the listing says of the workload; a device of which it says nothing is its agent's. */
  private static Optional<Objection> workloadObjection(Side side, Device device, String where) {
    WorkloadState fits =
        side.role() == Role.SOURCE
            ? WorkloadState.WORKLOAD_RUNNING
            : WorkloadState.WORKLOAD_WAITING;
    String does =
        switch (device.getWorkloadState()) {
          case WORKLOAD_RUNNING -> "running";
          case WORKLOAD_PAUSED -> "paused";
          case WORKLOAD_WAITING -> "waiting for a device";
          case WORKLOAD_RELEASED -> "done with the device";
          case WORKLOAD_STATE_UNSPECIFIED, UNRECOGNIZED -> "";
        };
    if (does.isEmpty() || device.getWorkloadState() == fits) {
      return Optional.empty();
    }
    return objection(
        ConditionReason.DEVICE_BUSY,
        "The workload of device "
            + device.getId()
            + " on "
            + where
            + " is "
            + does
            + heldBy(device)
            + ", and "
            + (side.role() == Role.SOURCE
                ? "only one that is running is moved"
                : "only one that waits takes what is moved")
            + ". Nothing was touched. "
            + (side.role() == Role.SOURCE
                ? "See who holds it, or choose the device that is in use."
                : "Choose a destination whose workload waits."));
  }

  private static String heldBy(Device device) {
    return device.hasHolder()
        ? " (process "
            + Integer.toUnsignedString(device.getHolder().getPid())
            + ", "
            + device.getHolder().getCommand()
            + ")"
        : "";
  }

  private static String sentence(String text) {
    return text.isEmpty() || text.endsWith(".") ? text : text + ".";
  }

  private Optional<Objection> mismatch() {
    Device source = device(seen.source());
    Device destination = device(seen.destination());
    if (source.getInterface() != destination.getInterface()) {
      return objection(
          ConditionReason.INCOMPATIBLE_DEVICE,
          "The devices speak different migration interfaces: "
              + source.getInterface()
              + " at the source, "
              + destination.getInterface()
              + " at the destination. Nothing was touched.");
    }
    if (!source.getModel().equals(destination.getModel())) {
      return objection(
          ConditionReason.INCOMPATIBLE_DEVICE,
          "The devices are of different models: "
              + source.getModel()
              + " at the source, "
              + destination.getModel()
              + " at the destination. Nothing was touched.");
    }
    Optional<Objection> layout = layoutMismatch(source, destination);
    if (layout.isPresent()) {
      return layout;
    }
    List<String> differences =
        driverDifferences(source.getDriverProfile(), destination.getDriverProfile());
    return differences.isEmpty()
        ? Optional.empty()
        : objection(
            ConditionReason.INCOMPATIBLE_DEVICE,
            "The drivers behind the devices differ, and a device's state is its driver's own"
                + " format: "
                + String.join("; ", differences)
                + ". Nothing was touched. Choose a destination with the same driver and device"
                + " type.");
  }

  private static Optional<Objection> layoutMismatch(Device source, Device destination) {
    Set<String> sent = windows(source);
    Set<String> taken = windows(destination);
    // A workload that waits for a device of the kernel is handed the windows; it declares none.
    boolean declared = !source.hasPlace() && !destination.hasPlace();
    List<String> differences =
        Stream.of(
                difference(
                    "page size",
                    Integer.toUnsignedString(source.getPageSize()),
                    Integer.toUnsignedString(destination.getPageSize())),
                difference(
                    "memory windows of the workload",
                    declared ? String.join(", ", sent) : "",
                    declared ? String.join(", ", taken) : ""))
            .flatMap(Optional::stream)
            .toList();
    return differences.isEmpty()
        ? Optional.empty()
        : objection(
            ConditionReason.INCOMPATIBLE_DEVICE,
            "The devices, or what their workloads declare, differ: "
                + String.join("; ", differences)
                + ". Nothing was touched. Both workloads declare the same windows.");
  }

  private static Set<String> windows(Device device) {
    return device.getDmaWindowsList().stream()
        .map(
            window ->
                window.getName()
                    + " ("
                    + Long.toUnsignedString(window.getSize())
                    + " bytes at 0x"
                    + Long.toHexString(window.getIova())
                    + ")")
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** The destination's agent compares them again before it touches anything. */
  private static List<String> driverDifferences(DriverProfile source, DriverProfile destination) {
    return Stream.of(
            difference("driver", source.getDriver(), destination.getDriver()),
            difference("mdev type", source.getMdevType(), destination.getMdevType()),
            difference("migration features", flags(source), flags(destination)),
            difference("stream version", source.getStreamVersion(), destination.getStreamVersion()))
        .flatMap(Optional::stream)
        .toList();
  }

  private static Optional<String> difference(String what, String source, String destination) {
    return source.equals(destination)
        ? Optional.empty()
        : Optional.of(
            what
                + " "
                + orNone(source)
                + " at the source, "
                + orNone(destination)
                + " at the destination");
  }

  private static String flags(DriverProfile profile) {
    return profile.getFlagsList().stream().sorted().collect(Collectors.joining(", "));
  }

  private static String orNone(String value) {
    return value.isEmpty() ? "(none)" : value;
  }

  private static Optional<Objection> objection(ConditionReason reason, String message) {
    return Optional.of(new Objection(reason, message));
  }

  private Decision awaitAgent(Side side) {
    return awaitAnswer(side, side.unavailability());
  }

  private Decision awaitAnswer(Side side, String cause) {
    Duration limit = seen.settings().timeouts().validating();
    Duration waited = draft.timeIn(Phase.VALIDATING);
    if (waited.compareTo(limit) >= 0) {
      return refused(
          ConditionReason.AGENT_UNAVAILABLE,
          "Gave up after " + GoDuration.format(limit) + ": " + cause + ". Nothing was touched.");
    }
    if (waited.compareTo(PATIENCE) < 0) {
      // An agent that is only just being connected to is no news.
      return decision(List.of(), Optional.of(PATIENCE.minus(waited)));
    }
    draft.condition(
        ConditionType.VALIDATED,
        Status.FALSE,
        ConditionReason.AGENT_UNAVAILABLE,
        "Waiting up to "
            + GoDuration.format(limit)
            + " for node "
            + side.location().nodeName()
            + ": "
            + cause
            + ".");
    Duration left = limit.minus(waited);
    return decision(
        List.of(), Optional.of(left.compareTo(Decisions.SOON) < 0 ? left : Decisions.SOON));
  }

  private Optional<ConditionReason> withdrawn() {
    if (seen.deletionRequested()) {
      return Optional.of(ConditionReason.CANCELLED_BY_DELETION);
    }
    return seen.settings().cancel()
        ? Optional.of(ConditionReason.CANCELLED_BY_USER)
        : Optional.empty();
  }

  private Decision cancelled() {
    ConditionReason reason = withdrawn().orElseThrow();
    String message = "Cancelled before anything was touched.";
    draft.condition(ConditionType.SUCCEEDED, Status.FALSE, reason, message);
    if (draft.reasonOf(ConditionType.VALIDATED) != ConditionReason.VALID) {
      draft.condition(
          ConditionType.VALIDATED,
          Status.UNKNOWN,
          reason,
          "Cancelled before both devices were looked at.");
    }
    draft.refuse(reason, message, true);
    return new Decision(draft.build(seen.attempt()), List.of(), seen.settings().timeToLive(), true);
  }

  private Decision namespaceNotAllowed() {
    return refused(
        ConditionReason.NAMESPACE_NOT_ALLOWED,
        "Namespace "
            + seen.namespace()
            + " may not migrate devices by node and name; allowed: "
            + seen.adminNamespaces()
            + ". Nothing was touched, and no agent was asked. An administrator creates it in a"
            + " namespace that is allowed, or adds this one to the operator's admin-namespaces"
            + " (the chart's admission.adminNamespaces): that lets whoever may create a"
            + " DeviceMigration here move any workload's device.");
  }

  private Decision refused(ConditionReason reason, String message) {
    draft
        .deviceStates(seen.source().listedState(), seen.destination().listedState())
        .refused(reason, message);
    return new Decision(draft.build(seen.attempt()), List.of(), seen.settings().timeToLive(), true);
  }

  private Decision decision(List<Command> commands, Optional<Duration> checkAgain) {
    return new Decision(draft.build(seen.attempt()), commands, checkAgain, false);
  }
}
