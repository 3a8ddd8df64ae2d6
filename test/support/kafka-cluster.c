/* A Kafka cluster for tests: librdkafka's mock brokers, with a line of text on stdin for every fault. Says
   `BOOTSTRAP host:port,…` when it is there and `OK` after each command; ends when stdin does. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
  char line[512], error[256];
  int brokers = argc > 1 ? atoi(argv[1]) : 3;
  rd_kafka_conf_t *settings = rd_kafka_conf_new();
  rd_kafka_conf_set(settings, "log_level", "0", error, sizeof error);
  rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, settings, error, sizeof error);
  rd_kafka_mock_cluster_t *cluster = client ? rd_kafka_mock_cluster_new(client, brokers) : NULL;
  if (!cluster) return 1;
  printf("BOOTSTRAP %s\n", rd_kafka_mock_cluster_bootstraps(cluster));
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    char verb[32] = "", first[128] = "";
    int second = 0;
    sscanf(line, "%31s %127s %d", verb, first, &second);
    if (!strcmp(verb, "topic")) /* topic NAME PARTITIONS */
      rd_kafka_mock_topic_create(cluster, first, second, brokers);
    else if (!strcmp(verb, "fail")) /* fail APIKEY CODE: the next request of that kind */
      rd_kafka_mock_push_request_errors(cluster, (int16_t)atoi(first), 1, (rd_kafka_resp_err_t)second);
    else if (!strcmp(verb, "topicfail")) /* topicfail NAME CODE: what the metadata says of the topic */
      rd_kafka_mock_topic_set_error(cluster, first, (rd_kafka_resp_err_t)second);
    else if (!strcmp(verb, "delay")) /* delay BROKER MS */
      rd_kafka_mock_broker_set_rtt(cluster, atoi(first), second);
    else if (!strcmp(verb, "down")) /* down BROKER */
      rd_kafka_mock_broker_set_down(cluster, atoi(first));
    else if (!strcmp(verb, "up")) /* up BROKER */
      rd_kafka_mock_broker_set_up(cluster, atoi(first));
    printf("OK\n");
    fflush(stdout);
  }
  rd_kafka_mock_cluster_destroy(cluster);
  rd_kafka_destroy(client);
  return 0;
}
