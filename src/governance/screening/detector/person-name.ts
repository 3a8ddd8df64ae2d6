/**
 * Names of people: after a title, a greeting, a role or in a field for names; or a well-known given name with another
 * capitalised word. Best effort; nothing that must not fail may rest on it.
 */
import { type Finding, found, leftOf, type Rule, type Sighting } from '../rule.ts';

const GIVEN = new Set(
  `Tom Tim Ben Sam Dan Mike Steve Dave Nick Chris Alex Matt Rob Bob Jim Kate Beth Meg Jen Jess Liz Sue Pat James John Robert Michael William David Richard Joseph Thomas Charles Christopher Daniel Matthew Anthony Donald Steven Paul Andrew Joshua Kenneth Kevin Brian George Timothy Ronald Edward Jason Jeffrey Ryan Jacob Gary Nicholas Eric Jonathan Stephen Larry Justin Scott Brandon Benjamin Samuel Gregory Alexander Patrick Frank Raymond Jack Dennis Jerry Tyler Aaron Jose Adam Nathan Henry Zachary Douglas Peter Kyle Noah Ethan Jeremy Walter Christian Keith Roger Terry Austin Sean Gerald Carl Dylan Harold Jordan Jesse Bryan Lawrence Arthur Gabriel Bruce Logan Billy Joe Alan Juan Elijah Willie Albert Wayne Randy Mason Vincent Liam Roy Ralph Bobby Russell Bradley Philip Eugene Oliver Leo Oscar Hugo Felix Max Lukas Leon Jonas Finn Elias Emil Anton Karl Klaus Jürgen Wolfgang Heinz Dieter Uwe Hans Stefan Stefanie Thorsten Torsten Matthias Andreas Markus Sebastian Tobias Florian Dominik Günther Helmut Werner Manfred Rainer Bernd Ulrich Heike Sabine Monika Petra Ursula Ingrid Renate Gisela Karin Anja Katrin Katharina Johanna
  Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Lisa Nancy Betty Sandra Margaret Ashley Kimberly Emily Donna Michelle Carol Amanda Melissa Deborah Stephanie Rebecca Sharon Laura Cynthia Dorothy Amy Kathleen Angela Shirley Emma Brenda Pamela Nicole Anna Samantha Katherine Christine Debra Rachel Carolyn Janet Maria Heather Diane Ruth Julie Olivia Joyce Virginia Kelly Lauren Christina Joan Evelyn Judith Andrea Hannah Cheryl Megan Jacqueline Martha Madison Teresa Gloria Sara Janice Ann Kathryn Abigail Sophia Frances Jean Alice Judy Isabella Julia Denise Marilyn Amber Danielle Brittany Beverly Diana Natalie Theresa Kayla Alexis Doris Lori Tiffany Sophie Lucy Chloe Chloé Zoe Zoé Ella Amelia Isla Freya Mia Lea Léa Lena Clara Nina Eva Elena Greta Frieda Helga Claire Camille Manon Juliette Margaux Élise Elise Céline Sylvie Nathalie Isabelle Véronique Brigitte Pierre Michel Jacques François Philippe Laurent Nicolas Julien Antoine Guillaume Mathieu Thierry Olivier Benoît Étienne Émile Luc Marc Louis Jules Théo Lucas Hervé Yves
  Antonio Manuel Francisco Javier Carlos Miguel Alejandro Rafael Pedro Pablo Sergio Jorge Alberto Fernando Luis Álvaro Diego Andrés Raúl Enrique Ramón Vicente Jaime Ignacio Carmen Josefa Isabel Dolores Pilar Lucía Paula Marta Cristina Rosa Mercedes Raquel Beatriz Silvia Inés Alba Rocío Sofía Sofia Valentina Camila Mariana Gabriela Daniela Fernanda Guadalupe Ximena Giuseppe Giovanni Mario Luigi Francesco Angelo Vincenzo Pietro Salvatore Franco Domenico Bruno Paolo Michele Giorgio Aldo Luciano Marco Luca Andrea Matteo Lorenzo Alessandro Davide Simone Federico Stefano Riccardo Giulia Chiara Francesca Federica Valeria Martina Alessia Elisa Ilaria Giada Alessandra Giovanna Paola João Joao Tiago Rui Nuno Gonçalo Beatriz Inês Catarina Leonor Thiago Mateus Rodrigo Felipe Gustavo Vinícius Larissa Letícia Juliana
  Jan Piotr Krzysztof Andrzej Tomasz Paweł Marcin Michał Jakub Mateusz Łukasz Wojciech Stanisław Agnieszka Katarzyna Małgorzata Joanna Ewa Zofia Magdalena Pavel Jiří Petr Tomáš Lukáš Jana Hana Lenka Zdeněk László István Zoltán Gábor Andrei Ion Mihai Ioana Elena Dimitris Giorgos Yannis Nikos Maria Eleni Ivan Dmitri Dmitry Sergei Sergey Alexei Alexey Vladimir Mikhail Nikolai Igor Oleg Andrei Boris Natalia Olga Tatiana Svetlana Irina Ekaterina Anastasia Ludmila Oksana Yulia Anders Lars Erik Johan Per Nils Sven Björn Gustav Magnus Karin Ingrid Astrid Birgitta Kristina Sofie Mette Lene Henrik Søren Jens Niels Ole Mikko Jukka Timo Pekka Antti Aino Willem Pieter Maarten Sander Daan Sem Bram Joost Femke Sanne Lotte Anouk Fleur
  Mohammed Muhammad Mohamed Ahmed Ali Omar Hassan Hussein Ibrahim Khalid Khaled Youssef Yusuf Mustafa Abdullah Abdul Karim Tariq Bilal Hamza Samir Nabil Rashid Faisal Fatima Aisha Maryam Zainab Khadija Layla Leila Amina Noor Nour Yasmin Salma Huda Mehmet Emre Murat Ayşe Elif Zeynep Hatice Fatma Burak Cem Deniz Avi Moshe Yosef Shlomo Noam Yael Tamar Shira Miriam Raj Rahul Rohit Amit Anil Sunil Vijay Sanjay Rajesh Suresh Ramesh Mahesh Arjun Aditya Vikram Arun Karthik Deepak Manoj Ravi Kiran Nikhil Priya Pooja Neha Anjali Kavita Sunita Lakshmi Deepa Divya Swati Ananya Shreya Meera Sita Wei Jing Li Ming Xin Yan Hui Jun Lei Hao Chen Mei Ling Xiao Yang Feng Hiroshi Takashi Kenji Yuki Yuko Haruto Sakura Akira Satoshi Kenta Naoko Keiko Yoko Aiko Haruka Minh Nguyen Linh Huong Thi Kofi Kwame Ama Abena Chinedu Ngozi Chioma Emeka Oluwaseun Adebayo Ade Tunde Funke Amara Chidi Thabo Sipho Nomsa Zanele Wanjiru Otieno Achieng Jomo
  Jane Ann Anne Joan Alice Judy Judith Evelyn Megan Hannah Andrea Cheryl Jacqueline Martha Gloria Teresa Sara Janice Julia Kathryn Abigail Alexis Kayla Lauren Brittany Natalie Diana Danielle Isabella Sophia Olivia Emma Ava Mia Amelia Harper Evie Isla Poppy Freya Imogen Harriet Eleanor Beatrice Owen Victor Dwayne Curtis Marcus Derek Shawn Trevor Troy Wayne Vincent Russell Philip Phillip Louis Bobby Johnny Billy Randy Roger Keith Lawrence Gerald Harold Carl Arthur Albert Willie Ralph Roy Eugene Louise Wendy Tracy Tina Heidi Erin Shannon Kelly Stacy Tiffany Graham Gareth Nigel Colin Clive Malcolm Stuart Alistair Callum Rhys Ewan Liam Noah Ethan Elijah Oliver Lucas Oscar Archie Alfie Theo Hugo Kieran Declan Cormac Niamh Siobhan Aoife Sean Conor
  Jürgen Uwe Heinz Dieter Günter Helmut Manfred Wolfgang Gerhard Horst Rolf Ralf Bernd Torsten Carsten Holger Detlef Dirk Sven Florian Tobias Fabian Dominik Sebastian Moritz Jonas Finn Lena Lea Leonie Sabine Petra Monika Ursula Renate Birgit Heike Anja Silke Katrin Kerstin Claudia Susanne Ingeborg Gisela Angelika Cornelia Ulrike Franziska Annika Elke Gudrun Hannelore
  Étienne Benoît Thierry Laurent Didier Gilles Yves Hervé Pascal Guillaume Mathieu Quentin Bastien Clément Baptiste Théo Léa Chloé Manon Camille Élodie Aurélie Céline Sandrine Sylvie Brigitte Véronique Valérie Nathalie Hélène Amélie Émilie Margaux Solène Maëlle
  Íñigo Iker Gonzalo Rocío Nuria Montserrat Leticia Ximena Marisol Yolanda Tomás Joaquín Emilio Esteban Felipe Mateo Sebastián Nicolás Rodrigo Agustín Hernán Germán Óscar Víctor Martín Julián
  Giacomo Emanuele Filippo Salvatore Vincenzo Gianluca Massimo Enrico Roberto Claudio Silvia Elena Beatrice Caterina Serena Ludovica Antonella Patrizia Daniela Simona Michela
  Tomasz Marek Zbigniew Jerzy Grzegorz Dariusz Mariusz Rafał Kamil Bartosz Maciej Szymon Filip Iwona Beata Dorota Renata Elżbieta Jadwiga Halina Bożena Aleksandra Karolina Natalia Paulina Justyna Sylwia Kinga Weronika
  Anneke Marieke Saskia Wouter Jeroen Bas Thijs Ruud Gerrit Hendrik Kees Marloes Ilse Eline Liesbeth
  Rui Afonso Duarte Vasco Henrique Caetano Joaquim Sofia Filipa Mafalda Teresa Luísa Luana Camila Bruna Fernanda Gabriela Marcelo Leandro Renato Vitor
  Solveig Sigrid Ragnhild Torbjørn Øyvind Håkon Kjell Leif Gunnar Ulf Göran Lennart Åsa Annika Elin Linnea Maja Freja Signe Rasmus Mads Kasper Søren Jesper Eero Juhani Tuula Päivi
  Priyanka Sneha Nisha Rekha Geeta Asha Usha Radha Padma Gayatri Ishaan Rohan Varun Siddharth Gaurav Pranav Abhishek Ashok Dinesh Ganesh Harish Mukesh Naveen Prakash Rakesh Sandeep Satish Vinod Vivek Yogesh Imran Asif Farhan Zeeshan Sana Ayesha Farah Hina Saima
  Mehdi Reza Hamid Amir Farid Walid Ziad Rania Dalia Mona Nadia Samira Leyla Selin Merve Esra Oğuz Volkan Serkan Hakan Tolga
  Hye-jin Min-jun Ji-woo Seo-yeon Jin-ho Sang-woo Xiaoming Xiaoli Jiahao Yuxuan Takeshi Makoto Daisuke Kazuki Ayumi Megumi Mariko Ayaka Misaki Thanh Phuong Trang Tuan Hung
  Kwabena Akosua Yaw Chukwuemeka Ifeoma Nkechi Obinna Folake Babatunde Themba Lindiwe Kamau Njeri Wambui Mwangi Tendai Farai
  Julian Anita Monica Gwendolyn Gwen Rosalie Adrian Alec Alfred Alvin Amos Arnold Barry Bernard Brad Brent Brett Calvin Cedric Clarence Clayton Clifford Clinton Courtney Craig Damon Darrell Darren Darryl Devin Dominic Duane Dustin Eddie Edgar Edwin Elliott Emmanuel Ernest Evan Floyd Francis Fred Frederick Gavin Geoffrey Gilbert Glenn Gordon Greg Harry Harvey Hector Herbert Herman Howard Ian Isaac Isaiah Jared Jeff Jeffery Jeremiah Jerome Jimmy Joel Johnathan Jon Kurt Leonard Leroy Leslie Lloyd Lonnie Marvin Maurice Melvin Micheal Nathaniel Neil Norman Ramon Raul Reginald Ricardo Rick Ricky Rodney Roland Ronnie Ruben Rudy Seth Shane Shaun Stanley Ted Terrence Tommy Tony Tyrone Vernon Wallace Warren Wesley Adrienne Agnes Alexandra Alexandria Alicia Alisha Allison Alyssa Angelica Annette Becky Bianca Bonnie Brandi Briana Brianna Bridget Caitlin Candace Carla Caroline Carrie Cassandra Cassie Cathy Catherine Charlene Christy Cindy Colleen Darlene Debbie Elaine Ellen Erica Erika Ethel Gabrielle Gail Gina Glenda Haley Hailey Helen Jackie Jamie Jasmine Jeanette Jenna Jenny Jill Jillian Joann Jocelyn Jodi Josephine Karina Karla Katelyn Kathy Katie Kaylee Kelli Kelsey Kendra Kristen Kristi Kristin Kristy Krystal Latoya Leah Lindsay Lindsey Loretta Lorraine Lydia Lynn Mackenzie Madeline Makayla Mallory Marcia Mariah Marie Marissa Maureen Mckenzie Meghan Melanie Melinda Meredith Mikayla Mindy Molly Natasha Nichole Norma Paige Pam Peggy Phyllis Priscilla Rachael Renee Rhonda Rita Roberta Robyn Sabrina Shari Sheena Sheila Shelley Shelly Sheri Sherri Sheryl Sonia Stacey Stacie Sylvia Tabitha Tamara Tammy Tanya Tara Tasha Toni Tonya Traci Tricia Valerie Vanessa Veronica Vicki Vickie Vivian Wanda Yesenia Yvette Yvonne`.split(
    /\s+/,
  ),
);

/** Given names that are words, months or places more often. */
const DOUBTFUL = new Set(
  'Will Mark Grace May April June Rose Hope Faith Joy Chase Bill Austin Jordan Madison Virginia Georgia Charlotte Florence Victoria Sydney Paris Mason Logan Max Leo Art Frank Jean Rich Christian Amber Per Ion Li Ming Wei Jing Yan Jun Lei Hao Chen Mei Ling Yang Feng Xin Hui Joe Jan Noor Deniz Ali Linda'.split(
    ' ',
  ),
);

/** Words that are no name, however they are written. */
const NOT_NAMES = new Set(
  `string integer boolean varchar nullable object array the a an and or of for to in on at by with from is are was were be been it this that these those you your we our us they their he she his her i my me as if not no yes all any some each every team support customer customers sir madam everyone everybody folks colleagues colleague friend friends there world user users admin administrator agent service services system platform server client manager department office company bank group ltd inc llc gmbh corp corporation sons co street road avenue monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october november december today tomorrow yesterday morning afternoon evening regards thanks thank best kind dear hello hi hey good please order invoice report project data cloud gateway database engine api http https json xml sql queue topic event events task tasks job jobs run runs test tests release version build new old null none undefined true false unknown anonymous default example name first last full period foundation university hospital school hotel airport station building house tower park beach river lake mountain island city town village county state country north south east west hybrid eventbridge bigquery azure google amazon microsoft apple oracle kafka docker kubernetes linux windows chrome firefox android ios workato snowflake salesforce stripe slack github gitlab required optional pending active inactive closed open senior junior lead engineer developer analyst director officer president chief account accounts billing sales marketing finance legal security operations product engineering equipe équipe equipo squadra zespół dział software hardware consultant architect specialist assistant executive associate suporte soporte supporto servizio servicio serviço service atendimento atención clienti clientes kundenservice kundendienst klantenservice vendas ventas vendite monitoring board handbook manual guide design research policy privacy terms page file folder document documents image video audio list table row column field value key id number code status type level priority score count total`.split(
    /\s+/,
  ),
);

const CAP =
  "(?:(?:O'|D'|Mc|Mac|Al-|El-|Ben-)?\\p{Lu}[\\p{Ll}\\p{M}]{1,20}(?:[-'](?:\\p{Lu}[\\p{Ll}\\p{M}]{1,20}))?|\\p{Lu}{2,20})";
const LINK = '(?:van der|van den|van de|van|von|de la|de los|de|del|della|di|da|dos|du|le|la|bin|ibn|al|el|y|ter|ten)';
const NAME = `${CAP}(?: (?:\\p{Lu}\\.(?: ?\\p{Lu}\\.)? )?(?:${LINK} )?${CAP}){0,3}`;

const title =
  /(?<![a-zà-ÿ])(?:mr|mrs|ms|miss|mx|dr|prof|professor|herr|herrn|frau|monsieur|madame|mme|mlle|m|señor|señora|sr|sra|srta|signor|signora|sig|sig\.ra|dott|senhor|senhora|dhr|mevr|pan|pani|mevrouw|meneer|mijnheer|panie|panu|familie|famille|famiglia|familia|lord|lady|dame|rev|capt|judge)\.? $/u;
/** Titles that are other words when written small: "timeout_ms", "cache miss". */
const ONLY_CAPITAL = /^(?:m|ms|miss|rev|sig|dame)\.? $/;
const greeting =
  /(?<![a-zà-ÿ])(?:dear|prezado|prezada|szanowny|szanowna|geachte|kjære|kära|hi|hello|hey|hallo|liebe|lieber|bonjour|cher|chère|hola|estimado|estimada|querido|querida|ciao|caro|cara|gentile|olá|beste|hej|(?:best|kind|warm|many)(?: kind)? regards|regards|sincerely|cheers|thanks|thank you|many thanks|yours(?: truly| sincerely)?|mit freundlichen grüßen|viele grüße|cordialement|saludos|cordiali saluti|atenciosamente|all the best|best|un (?:cordial )?saludo|met vriendelijke groet|vriendelijke groeten|groeten|pozdrawiam(?: serdecznie)?|z poważaniem|distinti saluti|um? abraço|abraços|(?:freundliche|beste|liebe|herzliche) grüße|mfg|bien à vous|bien cordialement|med venlig hilsen|med vänlig hälsning|hälsningar|mvh|с уважением)[,!]?\s{1,2}$/u;
const introduction =
  /(?<![a-zà-ÿ])(?:my name is|name is|name's|i am|i'm|this is|calls? me|known as|called|named|signed by|written by|ich heiße|mein name ist|ich bin|je m'appelle|je suis|me llamo|mi nombre es|soy|mi chiamo|sono|meu nome é|ik ben|mijn naam is|by dr\.?|attn:?|attention:?|c\/o)[: ]{1,2}$/u;
const role =
  /(?<![a-zà-ÿ])(?:patient|customer|client|applicant|employee|tenant|passenger|guest|cardholder|card holder|account holder|holder|beneficiary|payee|student|resident|claimant|policyholder|witness|suspect|recipient|nurse|doctor|kunde|kundin|patientin|client|cliente|paciente|paziente|mieter|contact|according to|interview with|spoke with|spoke to|speak to|talk to|meeting with|met with|ask|escalate to|assign(?:ed)?(?: this| it)? to|assigned to|forwarded to|reported by|approved by|requested by|for|with|and|from|by|name)(?:'s name)?[,:]? $/u;
const field =
  /(?<![a-zà-ÿ])(?:(?:(?:first|last|given|family|full|middle|maiden|sur|user|customer|client|patient|employee|contact|person|holder|cardholder|card holder|account holder|owner|recipient|sender|billing|shipping|guest|passenger|applicant|member|author|buyer|seller|manager|emergency contact) ?names?)|surname|forename|vorname|nachname|familienname|prénom|prenom|nom|nombre|apellidos?|nome|cognome|sobrenome|naam|voornaam|achternaam|imię|nazwisko|имя|фамилия|фио|姓名|氏名|名前|이름)(?:"?\s?[:=]\s?["']?|>)$/u;
const header = /(?:^|\n)(?:from|to|cc|bcc|reply to|sender|von|an|de|para|da|od|do|van|aan|à): ?"?$/u;
/** A field that is only called `name` is as often that of a service. */
const plainField =
  /(?:^|[^a-zà-ÿ])(?:(?:user|customer|client|patient|employee|person|contact|owner|member|author)["':{\s]{1,8})?name["']?\s?[:=]\s?["']?$/u;

export const nameRule: Rule = {
  pattern: new RegExp(
    `(?=[A-Z\\u0080-\\u{10ffff}])(?<![\\p{L}\\p{N}_@#/.-]|[\\p{L}\\p{N}]')(?:(?:(?:Herrn?|Frau|Monsieur|Madame|Signora?|Señora?|Senhora?) )?(?:(?:Mr|Mrs|Ms|M|Dr|Prof|Sr|Sra|Hr|Fr)\\. ){1,2})?${NAME}(?![\\p{L}\\p{N}_@]|[-/.]\\p{L})`,
    'gu',
  ),
  starter: /[\p{Lu}]/gu,
  alive:
    /(?:(?:\p{Lu}[\p{L}\p{M}.'-]*|van|von|der|den|de|la|las|los|del|della|di|da|dos|du|le|bin|ibn|al|el|y|ter|ten|&) )*[\p{L}\p{M}.'&/-]*(?:"? ?<?)?$/uy,
  reach: 320,
  within: 'line',
  judge: judgeName,
};

const CJK = '[\\u3041-\\u30ff\\u3005\\u4e00-\\u9fff\\uac00-\\ud7a3]';
/** What forms say in place of a name. */
const NO_ENTRY = /^(?:必須|任意|なし|無し|未入力|未登録|不明|匿名|必填|选填|無|无|未知|필수|선택|없음|미상|입력)/;

/** In scripts without capitals only the name of the field tells a name. */
export const cjkNameRule: Rule = {
  pattern: new RegExp(
    `(?=${CJK})(?<=(?:氏名|お名前|名前|姓名|担当者|联系人|聯絡人|收件人|이름|성명|성함)["']?\\s?[:=]\\s?["']?)${CJK}{2,6}(?:[ ・]${CJK}{1,6})?`,
    'gu',
  ),
  starter: new RegExp(CJK, 'gu'),
  reach: 14,
  within: 'line',
  judge: (sighting) => (NO_ENTRY.test(sighting.value) ? undefined : found('name', sighting, 0.8)),
};

function judgeName(sighting: Sighting): Finding | undefined {
  const { start, text } = sighting;
  if (!sighting.value.includes(' ') && !maySay(text, start, sighting.value)) return undefined;
  let words = sighting.value.split(' ');
  let at = start;
  let before = leftOf(text, start, LONGEST);
  /** A title is masked with the name. */
  let titled = Number.POSITIVE_INFINITY;
  // "Mr Carlos Mendes", "Dear Ms. Aisha Khan": the words before the name are capitals too.
  for (let word = words[0]; word !== undefined && words.length > 1 && isOpening(word); word = words[0]) {
    before += `${word.toLowerCase()} `;
    if (word.endsWith('.')) titled = Math.min(titled, at);
    at += word.length + 1;
    words = words.slice(1);
  }
  const isField = isNamedBy(field, before);
  if (!isField) while (isNoName(words.at(-1))) words = words.slice(0, -1);
  const [first] = words;
  if (first === undefined || isNoName(first)) return undefined;
  if (!isField && words.some(isNoName)) return undefined;
  const end = at + words.join(' ').length;
  if (text.startsWith(' & ', end)) return undefined;
  const confidence = confidenceOf(words, first, before, sighting, at);
  return confidence === undefined ? undefined : { type: 'name', start: Math.min(at, titled), end, confidence };
}

/**
 * Whether what stands before a single word may make it a name: a look at the last characters, because capitals are
 * everywhere. A title ends with a letter or a point, a field with one of these letters and a sign, a greeting and an
 * introduction with a blank or a colon; and after those a single word must be a given name.
 */
function maySay(text: string, start: number, word: string): boolean {
  const ending = text.slice(Math.max(0, start - 6), start);
  return TITLE_END.test(ending) || FIELD_END.test(ending) || (/[\s:]$/.test(ending) && isGivenName(word));
}

const TITLE_END = /[a-z.] $/i;
const FIELD_END = /[esmoęяо名前름]["']?[\s_-]?[:=>][\s_-]?["']?$/iu;

function isGivenName(word: string): boolean {
  const given = titleCase(word);
  return GIVEN.has(given) || DOUBTFUL.has(given) || GIVEN.has(word);
}

function isNoName(word: string | undefined): boolean {
  return word !== undefined && NOT_NAMES.has(word.toLowerCase());
}

function isOpening(word: string): boolean {
  return /^(?:M\.|Cc|Bcc|Attn|Gentile|Estimad[oa]|Querid[oa]|Liebe|Lieber|Beste|Prezad[oa]|Szanown[ya]|Geachte|Egregi[oa]|Exm[oa]\.|Senhora?|Señora?|Signora|Sig\.|Pani?|Panie|Mevrouw|Meneer|Familie|Famille|Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herr|Herrn|Frau|Mme|Mlle|Sr|Sra|Dear|Cher|Chère|Hi|Hello|Hey|Hallo|Hola|Bonjour|Ciao|Regards|Thanks|Customer|Patient|Client|Tenant|Madame|Monsieur|Contact|Ask|Signor|Signora)\.?$/.test(
    word,
  );
}

/** @param at where the name begins */
function isTitled(before: string, { text, start }: Sighting, at: number): boolean {
  const words = title.exec(before)?.[0];
  if (words === undefined) return false;
  // Of what stands before the sighting the capitals are lost; a title is no end of a longer name: `timeout_ms`.
  const from = at - words.length;
  if (from >= start) return true;
  if (/[\p{L}\p{N}_-]/u.test(text[from - 1] ?? '')) return false;
  return !ONLY_CAPITAL.test(words) || (/\p{Lu}/u.test(text[from] ?? '') && !/^m $/.test(words));
}

function confidenceOf(
  words: readonly string[],
  first: string,
  before: string,
  sighting: Sighting,
  at: number,
): number | undefined {
  // "Maria DB", "Travis CI".
  if (words.length === 2 && /^\p{Lu}{2}$/u.test(words[1] ?? '') && !/^\p{Lu}+$/u.test(first)) return undefined;
  const isShouted = words.every((word) => /^\p{Lu}+$/u.test(word));
  if (isNamedBy(field, before)) return isOfThings(words) ? undefined : 0.88;
  if (isShouted && words.length < 2) return undefined;
  if (isTitled(before, sighting, at)) return 0.85;
  const given = titleCase(first);
  const isGiven = isGivenName(first);
  if (introduction.test(before))
    return isGiven || (words.length > 1 && !/(?:this is|called|named) $/.test(before)) ? 0.8 : undefined;
  if (isInHeader(words, before, sighting, at)) return 0.8;
  if (greeting.test(before)) return isGiven || words.length > 1 ? 0.78 : undefined;
  if (words.length < 2) return undefined;
  if (isNamedBy(plainField, before)) return isGiven ? 0.85 : undefined;
  if (isGiven && !DOUBTFUL.has(given) && !isShouted) return 0.76;
  if (!isGiven || (isShouted && /(?:for|with|and|from|by|name) $/.test(before))) return undefined;
  return role.test(before) ? 0.76 : undefined;
}

/** `From: Owen Prichard <owen@…>`. */
function isInHeader(words: readonly string[], before: string, { text }: Sighting, at: number): boolean {
  if (words.length < 2 || !header.test(before)) return false;
  return /^"? <[\w.+-]/.test(text.slice(at + words.join(' ').length, at + words.join(' ').length + 4));
}

/** "display name: Quarterly Report". */
function isOfThings(words: readonly string[]): boolean {
  const last = words.at(-1) ?? '';
  return words.length > 1 && last.length > 4 && isNoName(last) && !GIVEN.has(titleCase(words[0] ?? ''));
}

/** No match of the patterns for what stands before a name is as long as this, with the character before it. */
const LONGEST = 32;

/** Whether it is the value of such a field. Before most words there is no sign for one at all. */
function isNamedBy(names: RegExp, before: string): boolean {
  return /[:=>]/.test(before.slice(-3)) && names.test(before);
}

function titleCase(word: string): string {
  return /^\p{Lu}+$/u.test(word) ? word.charAt(0) + word.slice(1).toLowerCase() : (word.split(/[-']/)[0] ?? word);
}
