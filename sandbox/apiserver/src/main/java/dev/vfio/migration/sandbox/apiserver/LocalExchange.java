package dev.vfio.migration.sandbox.apiserver;

import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.http.Exchange;
import dev.vfio.migration.sandbox.apiserver.http.Reply;
import dev.vfio.migration.sandbox.apiserver.http.ResponseStream;

/** A request from inside the process, served like any other but for watches. Used by one thread. */
final class LocalExchange implements Exchange {
  private final ApiRequest request;
  private Reply reply;

  LocalExchange(ApiRequest request) {
    this.request = request;
  }

  @Override
  public ApiRequest request() {
    return request;
  }

  @Override
  public void reply(Reply answer) {
    this.reply = answer;
  }

  @Override
  public ResponseStream stream(String contentType) {
    throw new UnsupportedOperationException("a watch needs a connection");
  }

  Reply answer() {
    return reply;
  }
}
