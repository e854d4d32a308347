package dev.vfio.migration.agent.control;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.vfio.migration.agent.journal.file.JournalledForTests;
import dev.vfio.migration.agent.machine.DestinationSpec;
import dev.vfio.migration.agent.machine.SessionRecord;
import dev.vfio.migration.agent.machine.SourceSpec;
import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.agent.session.Refusal;
import dev.vfio.migration.contract.v1.CommandHeader;
import dev.vfio.migration.contract.v1.CommitRequest;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DmaWindow;
import dev.vfio.migration.contract.v1.DriverProfile;
import dev.vfio.migration.contract.v1.PrepareDestinationRequest;
import dev.vfio.migration.contract.v1.StartSourceRequest;
import dev.vfio.migration.text.ForeignText;
import dev.vfio.migration.vfio.workload.DeclaredWindows;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.util.List;

/**
 * A command may say anything: it is refused in one plain line, or it is one that can be carried out
 * and journalled.
 */
class CommandsFuzzTest {
  private static final int MAX_STREAMS = 16;
  private static final int MAX_TEXT = 512;

  @FuzzTest(maxDuration = "1h")
  void anyBytesAreACommandOrAreRefused(byte[] bytes) throws IOException {
    try {
      judged(() -> source(StartSourceRequest.parseFrom(bytes)));
      judged(() -> destination(PrepareDestinationRequest.parseFrom(bytes)));
      judged(() -> key(CommitRequest.parseFrom(bytes).getHeader()));
    } catch (InvalidProtocolBufferException noMessage) {
      assertThat(noMessage.getMessage()).isNotBlank();
    }
  }

  /** The message is made well-formed, so that what it says is reached. */
  @FuzzTest(maxDuration = "1h")
  void anyFieldsAreACommandOrAreRefused(FuzzedDataProvider data) throws IOException {
    CommandHeader header =
        CommandHeader.newBuilder()
            .setMigrationUid(text(data, "uid-1"))
            .setAttempt(number(data, 1))
            .setFencingNumber(number(data, 1))
            .setMigrationName(text(data, "default/a"))
            .build();
    StartSourceRequest.Builder source =
        StartSourceRequest.newBuilder()
            .setHeader(header)
            .setDevice(text(data, "vfio-user:gpu-0"))
            .setDestinationNode(text(data, "node-b"))
            .setDestinationHost(text(data, "10.0.0.1"))
            .setDestinationPort(number(data, 9444))
            .setToken(
                ByteString.copyFrom(new byte[data.consumeBoolean() ? data.consumeInt(0, 64) : 32]))
            .setModeValue(number(data, 1))
            .setStreams(number(data, 1))
            .setBandwidthLimit(number(data, 0))
            .setThresholdBytes(data.consumeLong());
    Device.Builder device =
        Device.newBuilder()
            .setId(text(data, "vfio-user:gpu-0"))
            .setInterfaceValue(number(data, 1))
            .setModel(text(data, "10de:1234"))
            .setRegionSize(data.consumeLong())
            .setPageSize(number(data, 4096));
    if (data.consumeBoolean()) {
      DriverProfile.Builder profile =
          DriverProfile.newBuilder()
              .setDriver(text(data, "mtty"))
              .setMdevType(text(data, ""))
              .setStreamVersion(text(data, ""));
      for (int flags = data.consumeInt(0, 3); flags > 0; flags--) {
        profile.addFlags(text(data, "STOP_COPY"));
      }
      device.setDriverProfile(profile);
    }
    for (int windows = data.consumeInt(0, 70); windows > 0; windows--) {
      DmaWindow window =
          DmaWindow.newBuilder()
              .setName(text(data, "w" + windows))
              .setIova(number(data, windows << 12))
              .setSize(number(data, 4096))
              .build();
      source.addWindows(window);
      device.addDmaWindows(window);
    }
    PrepareDestinationRequest.Builder destination =
        PrepareDestinationRequest.newBuilder()
            .setHeader(header)
            .setDevice(text(data, "vfio-user:gpu-0"))
            .setSourceNode(text(data, "node-a"))
            .setStreams(number(data, 1));
    if (!data.consumeBoolean()) {
      destination.setSourceDevice(device);
    }
    judged(() -> source(source.build()));
    judged(() -> destination(destination.build()));
    judged(() -> key(header));
  }

  private static String text(FuzzedDataProvider data, String usual) {
    return data.consumeBoolean() ? data.consumeString(data.consumeInt(0, 600)) : usual;
  }

  private static int number(FuzzedDataProvider data, int usual) {
    return data.consumeBoolean() ? data.consumeInt() : usual;
  }

  private interface Command {
    void read() throws Refusal, IOException;
  }

  private static void judged(Command command) throws IOException {
    try {
      command.read();
    } catch (Refusal refusal) {
      StatusRuntimeException answer = Refusals.of(refusal);
      assertThat(answer.getStatus().getCode())
          .isIn(Status.Code.INVALID_ARGUMENT, Status.Code.FAILED_PRECONDITION);
      assertThat(answer.getTrailers().get(Refusals.REASON))
          .isIn("INVALID_REQUEST", "INCOMPATIBLE_DEVICE");
      assertThat(answer.getStatus().getDescription())
          .isNotBlank()
          .matches(ForeignText::isPlain)
          .hasSizeLessThanOrEqualTo(ForeignText.MAX_MESSAGE_BYTES);
    }
  }

  private static void key(CommandHeader header) throws Refusal {
    assertThat(ContractMapping.name(header)).matches(ForeignText::isPlain);
    assertThat(ContractMapping.name(header).length()).isLessThanOrEqualTo(MAX_TEXT);
    assertThat(ContractMapping.key(header).toString()).matches("[-A-Za-z0-9]{1,64}/[1-9][0-9]*");
    assertThat(header.getFencingNumber()).isNotZero();
  }

  private static void source(StartSourceRequest request) throws Refusal, IOException {
    SourceSpec spec = ContractMapping.source(request, MAX_STREAMS);
    key(request.getHeader());
    requireNames(List.of(spec.device(), spec.destinationNode(), spec.destinationHost()));
    assertThat(spec.destinationPort()).isBetween(1, 65535);
    assertThat(spec.streams()).isBetween(1, MAX_STREAMS);
    assertThat(spec.bandwidthLimit()).isNotNegative();
    assertThat(spec.thresholdBytes()).isNotNegative();
    assertThat(request.getToken().size()).isEqualTo(ContractMapping.TOKEN_BYTES);
    requireWindows(spec.windows());
    JournalledForTests.requireKept(new SessionRecord.SourceStarted(spec));
  }

  private static void destination(PrepareDestinationRequest request) throws Refusal, IOException {
    DestinationSpec spec = ContractMapping.destination(request, MAX_STREAMS);
    key(request.getHeader());
    requireNames(List.of(spec.device(), spec.sourceNode()));
    assertThat(spec.streams()).isBetween(1, MAX_STREAMS);
    assertThat(spec.sourceDevice().id()).matches(ForeignText::isPlain);
    requireWindows(spec.sourceWindows());
    JournalledForTests.requireKept(new SessionRecord.Prepared(spec));
  }

  private static void requireNames(List<String> names) {
    assertThat(names)
        .allSatisfy(
            name ->
                assertThat(name)
                    .isNotBlank()
                    .hasSizeLessThanOrEqualTo(MAX_TEXT)
                    .matches(ForeignText::isPlain));
  }

  private static void requireWindows(List<WindowSpec> windows) {
    assertThat(windows).hasSizeLessThanOrEqualTo(DeclaredWindows.MAX_WINDOWS);
    assertThat(windows)
        .allSatisfy(window -> assertThat(DeclaredWindows.isName(window.name())).isTrue());
  }
}
